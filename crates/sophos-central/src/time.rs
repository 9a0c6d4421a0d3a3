//! Points in time: as received ([`Time`]) and as sent ([`When`]).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Error;

/// A point in time as the service wrote it.
///
/// The text is kept as it came and is read when asked for, so an odd text spoils nothing.
///
/// ```
/// use sophos_central::Time;
///
/// let time = Time::from("2025-02-03T06:12:09.417"); // no zone: read as UTC
/// assert_eq!(time.timestamp().map(|t| t.to_string()).as_deref(), Some("2025-02-03T06:12:09.417Z"));
/// assert_eq!(Time::from("2021-08-13 09.07.03 GMT").timestamp(), None);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Time(Box<str>);

impl Time {
    /// Returns the text exactly as it was received.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the point in time, or `None` if the text cannot be understood.
    ///
    /// A text without a zone is taken as UTC, a date without a time as midnight UTC.
    #[must_use]
    pub fn timestamp(&self) -> Option<Timestamp> {
        parse_timestamp(self.0.trim())
    }
}

impl From<&str> for Time {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Time({:?})", &*self.0)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        crate::wire::required(input)
    }
}

impl crate::wire::FromText for Time {
    fn from_text(text: &str) -> Self {
        Self(text.into())
    }

    fn from_owned_text(text: String) -> Self {
        Self(text.into())
    }
}

/// A point in time for a filter: fixed, or relative to now.
///
/// It is read from a full timestamp, a date (midnight UTC), an ISO-8601 duration relative to now
/// (`-P90D`, `-PT2H`), or a shorthand that means "that long ago" (`90d`, `12h`, `30m`, `2w`, `45s`).
/// A timestamp without a zone is taken as UTC. What is sent is always in UTC with a `Z`, as the
/// service refuses timestamps without a zone; durations are sent unchanged where the service takes
/// them, and are resolved against the client's clock where it does not.
///
/// ```
/// use sophos_central::When;
///
/// assert_eq!("2024-05-06".parse::<When>()?.to_string(), "2024-05-06T00:00:00.000Z");
/// assert_eq!("2024-05-06T09:08:09+02:00".parse::<When>()?.to_string(), "2024-05-06T07:08:09.000Z");
/// assert_eq!("2w".parse::<When>()?.to_string(), "-P14D");
/// # Ok::<(), sophos_central::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct When(Kind);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    At(Timestamp),
    /// An ISO-8601 duration that is known to be one.
    Relative(Box<str>),
}

impl When {
    /// Makes a fixed point in time.
    #[must_use]
    pub fn at(timestamp: Timestamp) -> Self {
        Self(Kind::At(timestamp))
    }

    /// Makes the point in time that lies so long before now. Fractions of a second are dropped.
    #[must_use]
    pub fn ago(duration: Duration) -> Self {
        let seconds = duration.as_secs();
        let text = match (seconds % 86_400, seconds % 3_600, seconds % 60) {
            (0, _, _) => format!("-P{}D", seconds / 86_400),
            (_, 0, _) => format!("-PT{}H", seconds / 3_600),
            (_, _, 0) => format!("-PT{}M", seconds / 60),
            _ => format!("-PT{seconds}S"),
        };
        Self(Kind::Relative(text.into()))
    }

    /// Returns true if the point in time depends on when it is looked at.
    #[must_use]
    pub fn is_relative(&self) -> bool {
        matches!(self.0, Kind::Relative(_))
    }

    /// Returns the point in time, seen from `now`.
    ///
    /// # Errors
    /// [`is_invalid_argument`](Error::is_invalid_argument) if the result lies outside the years that
    /// can be written.
    pub fn resolve(&self, now: Timestamp) -> Result<Timestamp, Error> {
        let duration = match &self.0 {
            Kind::At(timestamp) => return Ok(*timestamp),
            Kind::Relative(duration) => duration,
        };
        let span: Span = duration
            .parse()
            .map_err(|source| out_of_range(duration, source))?;
        now.to_zoned(TimeZone::UTC)
            .checked_add(span)
            .map(|zoned| zoned.timestamp())
            .map_err(|source| out_of_range(duration, source))
    }

    /// Returns the same point in time as a fixed one.
    pub(crate) fn fixed(&self, now: Timestamp) -> Result<Self, Error> {
        self.resolve(now).map(Self::at)
    }
}

fn out_of_range(duration: &str, source: jiff::Error) -> Error {
    Error::invalid_argument(format!("the duration `{duration}` is out of range"))
        .with_source(source)
}

impl From<Timestamp> for When {
    fn from(timestamp: Timestamp) -> Self {
        Self::at(timestamp)
    }
}

/// Means "that long ago"; see [`When::ago`].
impl From<Duration> for When {
    fn from(duration: Duration) -> Self {
        Self::ago(duration)
    }
}

impl FromStr for When {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if let Some(duration) = shorthand(text) {
            return Ok(Self(Kind::Relative(duration.into())));
        }
        if is_iso_duration(text) {
            return Ok(Self(Kind::Relative(text.into())));
        }
        parse_timestamp(text).map(Self::at).ok_or_else(|| {
            Error::invalid_argument(format!(
                "`{text}` is not a point in time: give a timestamp such as 2024-05-06T07:08:09Z, \
                 a date, a duration such as -P90D, or 90d, 12h, 30m, 2w for that long ago"
            ))
        })
    }
}

/// Writes the form that is sent.
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::At(timestamp) => write!(f, "{timestamp:.3}"),
            Kind::Relative(duration) => f.write_str(duration),
        }
    }
}

/// Reads a timestamp with a zone, one without (UTC), or a date (midnight UTC).
fn parse_timestamp(text: &str) -> Option<Timestamp> {
    // The parser would take `20240506` and other short forms too; those are more likely a slip.
    if text.len() < 10 || text.as_bytes().get(4) != Some(&b'-') {
        return None;
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp);
    }
    let naive: civil::DateTime = text.parse().ok()?;
    naive
        .to_zoned(TimeZone::UTC)
        .ok()
        .map(|zoned| zoned.timestamp())
}

/// Reads `90d` and the like as an ISO-8601 duration into the past.
fn shorthand(text: &str) -> Option<String> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u32 = number.parse().ok()?;
    match unit {
        "w" => Some(format!("-P{}D", number.checked_mul(7)?)),
        "d" => Some(format!("-P{number}D")),
        "h" => Some(format!("-PT{number}H")),
        "m" => Some(format!("-PT{number}M")),
        "s" => Some(format!("-PT{number}S")),
        _ => None,
    }
}

/// Returns true for `[+-]P…Y…M…W…DT…H…M…S` in upper case with at least one part.
fn is_iso_duration(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let Some(text) = text.strip_prefix('P') else {
        return false;
    };
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let time_is_right = time.is_none_or(|time| !time.is_empty() && parts(time, "HMS"));
    (!date.is_empty() || time.is_some()) && parts(date, "YMWD") && time_is_right
}

/// Returns true if the text is numbers, each followed by a unit, units in the given order.
fn parts(text: &str, units: &str) -> bool {
    let mut units = units.chars();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest
            .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
            .unwrap_or(rest.len());
        let (number, tail) = rest.split_at(end);
        let Some(unit) = tail.chars().next() else {
            return false;
        };
        let whole = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = unit == 'S'
            && number.parse::<f64>().is_ok()
            && !number.starts_with('.')
            && !number.ends_with('.');
        if !(whole || seconds) || !units.any(|known| known == unit) {
            return false;
        }
        rest = &tail[unit.len_utf8()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(text: &str) -> String {
        text.parse::<When>().unwrap().to_string()
    }

    #[test]
    fn timestamps_are_sent_in_utc_with_milliseconds_and_a_zone() {
        for (text, expected) in [
            ("2024-05-06T07:08:09.123456Z", "2024-05-06T07:08:09.123Z"),
            ("2024-05-06T07:08:09", "2024-05-06T07:08:09.000Z"),
            ("2024-05-06 07:08:09", "2024-05-06T07:08:09.000Z"),
            ("2024-05-06T07:08", "2024-05-06T07:08:00.000Z"),
            ("2024-05-06T01:30:00+05:30", "2024-05-05T20:00:00.000Z"),
            ("2024-05-06T07:08:09-0000", "2024-05-06T07:08:09.000Z"),
            (" 2024-05-06 ", "2024-05-06T00:00:00.000Z"),
        ] {
            assert_eq!(sent(text), expected, "{text}");
        }
    }

    #[test]
    fn iso_durations_pass_unchanged() {
        for text in [
            "-P90D",
            "-PT2H",
            "-P3DT4H5M0S",
            "P1D",
            "+P1D",
            "-P1Y2M3W4D",
            "-PT1.5S",
        ] {
            assert_eq!(sent(text), text);
            assert!(text.parse::<When>().unwrap().is_relative());
        }
    }

    #[test]
    fn shorthand_means_that_long_ago() {
        for (text, expected) in [
            ("90d", "-P90D"),
            ("12h", "-PT12H"),
            ("30m", "-PT30M"),
            ("2w", "-P14D"),
            ("45s", "-PT45S"),
        ] {
            assert_eq!(sent(text), expected);
        }
        assert_eq!(When::ago(Duration::from_secs(90)).to_string(), "-PT90S");
        assert_eq!(When::ago(Duration::from_secs(7_200)).to_string(), "-PT2H");
        assert_eq!(When::ago(Duration::from_secs(172_800)).to_string(), "-P2D");
    }

    #[test]
    fn other_texts_are_refused_with_an_explanation() {
        for text in [
            "",
            "P",
            "-P",
            "PT",
            "-PT",
            "-p90d",
            "-P90",
            "-PD",
            "P1H",
            "PT1D",
            "-PT5S4M",
            "-P-1D",
            "-PT.5S",
            "-P1.5D",
            "90",
            "d",
            "-90d",
            "90D",
            "1y",
            "99999999999w",
            "tomorrow",
            "2024-13-01",
            "2024-02-30",
            "20240506",
            "12",
            "2024-05-06T25:00:00Z",
            "2024-05-06TZ",
            "é",
        ] {
            let error = text.parse::<When>().expect_err(text);
            assert!(error.is_invalid_argument(), "{text}");
        }
    }

    #[test]
    fn durations_resolve_against_the_given_now() {
        let now: Timestamp = "2024-03-01T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("1d", "2024-02-29T12:00:00Z"),
            ("-P1M", "2024-02-01T12:00:00Z"),
            ("-PT90M", "2024-03-01T10:30:00Z"),
            ("2024-01-01", "2024-01-01T00:00:00Z"),
        ] {
            let when: When = text.parse().unwrap();
            assert_eq!(when.resolve(now).unwrap().to_string(), expected, "{text}");
        }
        let far: When = "-P99999Y".parse().unwrap();
        assert!(far.resolve(now).unwrap_err().is_invalid_argument());
    }

    #[test]
    fn received_times_are_understood_in_all_forms_and_kept_as_they_are() {
        for (text, expected) in [
            ("2024-05-06T07:08:09.123Z", Some("2024-05-06T07:08:09.123Z")),
            ("2024-05-06T07:08:09Z", Some("2024-05-06T07:08:09Z")),
            (
                "2024-05-06T07:08:09.123456789",
                Some("2024-05-06T07:08:09.123456789Z"),
            ),
            ("2024-05-06T07:08:09+00:00", Some("2024-05-06T07:08:09Z")),
            ("2024-05-06", Some("2024-05-06T00:00:00Z")),
            ("2021-08-13 09.07.03 GMT", None),
            ("2024-04-31", None),
            ("", None),
        ] {
            let time = Time::from(text);
            let read = time.timestamp().map(|timestamp| timestamp.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
            assert_eq!(time.as_str(), text);
        }
    }
}
