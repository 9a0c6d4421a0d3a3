//! The query of a request, read strictly: a name or a value the service does not know is refused.

use crate::problem::Problem;

/// The parameters of a request, decoded, in the order they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(text)
            .map_err(|_| Problem::bad_request("The query cannot be decoded"))?;
        if let Some((name, _)) = pairs.iter().find(|(_, value)| value.is_empty()) {
            return Err(Problem::bad_request(format!("Parameter {name} is empty")));
        }
        Ok(Self { pairs })
    }

    pub(crate) fn from_pairs(pairs: Vec<(String, String)>) -> Self {
        Self { pairs }
    }

    /// Refuses every name that is not in the list.
    pub(crate) fn only(&self, known: &[&[&str]]) -> Result<(), Problem> {
        for (name, _) in &self.pairs {
            if !known.iter().any(|names| names.contains(&name.as_str())) {
                return Err(Problem::bad_request(format!("Unknown parameter {name}")));
            }
        }
        Ok(())
    }

    /// Returns whether one of these is given.
    pub(crate) fn has_any(&self, names: &[&str]) -> bool {
        self.pairs
            .iter()
            .any(|(name, _)| names.contains(&name.as_str()))
    }

    /// Returns a parameter that may be given once.
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut values = self.pairs.iter().filter(|(key, _)| key == name);
        let first = values.next().map(|(_, value)| value.as_str());
        if values.next().is_some() {
            return Err(Problem::bad_request(format!(
                "Parameter {name} is given twice"
            )));
        }
        Ok(first)
    }

    /// Returns a list: comma separated, repeated, or both. `None` when the parameter is absent.
    pub(crate) fn list(&self, name: &str) -> Result<Option<Vec<String>>, Problem> {
        let mut found = None;
        for (_, value) in self.pairs.iter().filter(|(key, _)| key == name) {
            let list: &mut Vec<String> = found.get_or_insert_default();
            for item in value.split(',') {
                if item.is_empty() {
                    return Err(Problem::bad_value(name));
                }
                list.push(item.to_owned());
            }
        }
        Ok(found)
    }

    /// Returns a list whose items must be in `known`.
    pub(crate) fn enums(
        &self,
        name: &str,
        known: &[&'static str],
    ) -> Result<Option<Vec<&'static str>>, Problem> {
        let Some(list) = self.list(name)? else {
            return Ok(None);
        };
        list.iter()
            .map(|item| known.iter().copied().find(|word| word == item))
            .collect::<Option<Vec<_>>>()
            .map(Some)
            .ok_or_else(|| Problem::bad_value(name))
    }

    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.one(name)? {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Problem::bad_value(name)),
        }
    }

    /// Returns a number of at least 1.
    pub(crate) fn positive(&self, name: &str) -> Result<Option<usize>, Problem> {
        match self.one(name)? {
            None => Ok(None),
            Some(text) => match text.parse() {
                Ok(number) if number > 0 => Ok(Some(number)),
                _ => Err(Problem::bad_value(name)),
            },
        }
    }

    /// Returns what identifies the listing: every parameter but those that say which part of it is wanted.
    pub(crate) fn fingerprint(&self) -> String {
        let mut rest: Vec<String> = self
            .pairs
            .iter()
            .filter(|(name, _)| !PAGING.contains(&name.as_str()))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        rest.sort();
        rest.join("&")
    }
}

/// The parameters of pages by key.
pub(crate) const PAGING_BY_KEY: &[&str] = &["pageSize", "pageTotal", "pageFromKey"];

/// The parameters that choose a part of a listing.
const PAGING: &[&str] = &["pageSize", "pageTotal", "pageFromKey", "page"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_with_commas_or_by_repeating() {
        let query = Query::parse("a=1,2&b=x&a=3").unwrap();
        assert_eq!(query.list("a").unwrap().unwrap(), ["1", "2", "3"]);
        assert_eq!(
            Query::parse("a=1%2C2").unwrap().list("a").unwrap().unwrap(),
            ["1", "2"]
        );
        assert_eq!(query.list("c").unwrap(), None);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let query = Query::parse("a=1&b=2").unwrap();
        assert!(query.only(&[&["a"], &["b"]]).is_ok());
        assert!(query.only(&[&["a"]]).is_err());
        assert!(query.enums("a", &["2"]).is_err());
        assert!(query.boolean("a").is_err());
        assert!(Query::parse("a=").is_err());
        assert!(Query::parse("a=1&a=2").unwrap().one("a").is_err());
        assert!(Query::parse("a=0").unwrap().positive("a").is_err());
    }

    #[test]
    fn the_part_of_a_listing_does_not_change_what_it_is() {
        let one = Query::parse("b=1&a=2&pageSize=3").unwrap();
        let two = Query::parse("pageFromKey=x&a=2&b=1").unwrap();
        assert_eq!(one.fingerprint(), two.fingerprint());
        assert_ne!(
            one.fingerprint(),
            Query::parse("a=2").unwrap().fingerprint()
        );
    }
}
