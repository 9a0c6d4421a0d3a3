//! Text as it appears on a terminal: widths, cutting, wrapping, and harmless control characters.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

const ELLIPSIS: char = '…';

/// Returns the number of terminal cells a text takes.
pub(crate) fn width(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// Replaces what would move the cursor, ring a bell or reverse the reading direction: line breaks and tabs by a space, the
/// rest by the replacement character.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' if characters.peek() == Some(&'\n') => {}
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => cleaned.push(' '),
            hostile if is_hostile(hostile) => cleaned.push(char::REPLACEMENT_CHARACTER),
            harmless => cleaned.push(harmless),
        }
    }
    Cow::Owned(cleaned)
}

/// Splits a text into clusters. Some scripts stack characters to clusters of any width: one wider than `max` is split further.
fn parts(text: &str, max: usize) -> impl Iterator<Item = &str> {
    text.graphemes(true).flat_map(move |cluster| {
        let too_wide = width(cluster) > max;
        cluster.split_inclusive(move |_: char| too_wide)
    })
}

fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Cuts a text to at most `max` cells, with an ellipsis in the last one where something was cut.
pub(crate) fn truncate(text: &str, max: usize) -> Cow<'_, str> {
    if width(text) <= max {
        return Cow::Borrowed(text);
    }
    let Some(room) = max.checked_sub(1) else {
        return Cow::Borrowed("");
    };
    let mut cut = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let cells = grapheme.width();
        if used + cells > room {
            break;
        }
        used += cells;
        cut.push_str(grapheme);
    }
    cut.truncate(cut.trim_end().len());
    cut.push(ELLIPSIS);
    Cow::Owned(cut)
}

/// Breaks a text into lines of at most `max` cells, at spaces where there are some. Always yields at least one line.
pub(crate) fn wrap(text: &str, max: usize) -> Vec<String> {
    let max = max.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for piece in text.split_word_bounds() {
        let cells = width(piece);
        if used + cells <= max {
            line.push_str(piece);
            used += cells;
            continue;
        }
        if used > 0 {
            lines.push(line.trim_end().to_owned());
            line.clear();
            used = 0;
        }
        if piece.trim().is_empty() {
            continue;
        }
        for part in parts(piece, max) {
            let cells = width(part);
            if used + cells > max && used > 0 {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push_str(part);
            used += cells;
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line.trim_end().to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_take_two_cells_and_marks_none() {
        assert_eq!(width("abc"), 3);
        assert_eq!(width("日本"), 4);
        assert_eq!(width("e\u{301}"), 1);
        assert_eq!(width("👩‍👩‍👧"), 2);
    }

    #[test]
    fn a_cut_never_splits_a_wide_character() {
        assert_eq!(truncate("日本語", 5), "日本…");
        assert_eq!(truncate("日本語", 4), "日…");
        assert_eq!(truncate("日本語", 6), "日本語");
        assert_eq!(truncate("abc", 0), "");
        assert_eq!(truncate("abcd", 1), "…");
        assert_eq!(truncate("ab cd", 4), "ab…");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(
            clean("a\r\nb\tc\x1b[31md\u{202e}e\u{9b}"),
            "a b c\u{fffd}[31md\u{fffd}e\u{fffd}"
        );
        assert!(matches!(clean("plain ünï"), Cow::Borrowed(_)));
    }

    #[test]
    fn lines_break_at_spaces_and_long_words_are_cut() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("", 3), [""]);
        assert_eq!(wrap("日本語", 3), ["日", "本", "語"]);
    }

    proptest::proptest! {
        #[test]
        fn nothing_cut_or_wrapped_is_wider_than_asked(text in "\\PC{0,60}", max in 2usize..40) {
            let text = clean(&text).into_owned();
            proptest::prop_assert!(width(&truncate(&text, max)) <= max);
            for line in wrap(&text, max) {
                proptest::prop_assert!(width(&line) <= max, "{line:?} of {text:?}");
            }
        }
    }
}
