//! Did you mean.

/// Returns the candidate nearest to `name`, when one is near enough to be a slip of the keyboard.
///
/// Case is ignored. Of equally near candidates the first wins.
///
/// ```
/// assert_eq!(clikit::suggest("hostnme", ["id", "hostname"]), Some("hostname"));
/// assert_eq!(clikit::suggest("colour", ["id", "hostname"]), None);
/// ```
#[must_use]
pub fn suggest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let mut best: Option<(f64, &str)> = None;
    for candidate in candidates {
        let near = strsim::jaro_winkler(&name, &candidate.to_lowercase());
        let edits = strsim::damerau_levenshtein(&name, &candidate.to_lowercase());
        let allowed = (name.chars().count().max(candidate.chars().count()) / 3).max(1);
        if (near >= 0.9 || edits <= allowed) && best.is_none_or(|(score, _)| near > score) {
            best = Some((near, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}
