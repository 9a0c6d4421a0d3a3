//! The time of the sandbox, and the forms of time it reads and writes.

use jiff::{SignedDuration, Span, Timestamp, Zoned, civil::DateTime, tz::TimeZone};

/// The moment that every relative time is counted from. It stands still, so that two runs give the same bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    reference: Timestamp,
}

impl Clock {
    pub(crate) fn at(reference: Timestamp) -> Self {
        Self { reference }
    }

    pub(crate) fn now(self) -> Timestamp {
        self.reference
    }

    /// Returns the moment of the n-th change: the clock stands still, but changes keep their order.
    pub(crate) fn at_change(self, number: u64) -> Timestamp {
        self.ago_millis(-i64::try_from(number).unwrap_or(0))
    }

    /// Returns the moment that lies so many milliseconds before the reference.
    pub(crate) fn ago_millis(self, millis: i64) -> Timestamp {
        self.reference
            .checked_sub(SignedDuration::from_millis(millis))
            .unwrap_or(self.reference)
    }

    /// Reads a timestamp with a zone, or an ISO-8601 duration relative to now such as `-P90D`.
    pub(crate) fn timestamp_or_duration(self, text: &str) -> Option<Timestamp> {
        if let Some(instant) = zoned(text) {
            return Some(instant);
        }
        let digits = text.trim_start_matches(['-', '+']);
        if !digits.starts_with('P') || text.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return None;
        }
        let span: Span = text.parse().ok()?;
        let now = Zoned::new(self.reference, TimeZone::UTC);
        Some(now.checked_add(span).ok()?.timestamp())
    }
}

/// Reads a timestamp that says its zone.
pub(crate) fn zoned(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Reads a timestamp with or without a zone; without one it is UTC.
pub(crate) fn zoned_or_utc(text: &str) -> Option<Timestamp> {
    if let Some(instant) = zoned(text) {
        return Some(instant);
    }
    // A date alone is not a time.
    let civil: DateTime = text.contains('T').then(|| text.parse().ok())??;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// Writes `2024-05-06T07:08:09.123Z`.
pub(crate) fn format(instant: Timestamp) -> String {
    format!("{instant:.3}")
}

/// Writes the same without the zone, as some parts of the service do.
pub(crate) fn format_without_zone(instant: Timestamp) -> String {
    let mut text = format(instant);
    text.pop();
    text
}

/// Writes the form of an HTTP `Retry-After` date, from the real clock: the reader compares with its own.
pub(crate) fn http_date_from_now(seconds: i64) -> String {
    let now = Timestamp::now();
    now.checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(now)
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Clock::at("2025-02-03T07:00:00Z".parse().unwrap())
    }

    #[test]
    fn durations_count_from_the_reference() {
        let read = |text| clock().timestamp_or_duration(text).map(format);
        assert_eq!(read("-P90D").as_deref(), Some("2024-11-05T07:00:00.000Z"));
        assert_eq!(read("-PT2H").as_deref(), Some("2025-02-03T05:00:00.000Z"));
        assert_eq!(
            read("-P3DT4H5M0S").as_deref(),
            Some("2025-01-31T02:55:00.000Z")
        );
        assert_eq!(read("PT1H").as_deref(), Some("2025-02-03T08:00:00.000Z"));
        assert_eq!(read("-p90d"), None);
        assert_eq!(read("90d"), None);
    }

    #[test]
    fn a_timestamp_needs_a_zone_where_one_is_demanded() {
        assert!(zoned("2024-05-06T07:08:09.000Z").is_some());
        assert!(zoned("2024-05-06T09:08:09+02:00").is_some());
        assert!(zoned("2024-05-06T07:08:09").is_none());
        assert!(zoned("2024-05-06").is_none());
        assert_eq!(
            zoned_or_utc("2024-05-06T07:08:09").map(format).as_deref(),
            Some("2024-05-06T07:08:09.000Z")
        );
        assert!(zoned_or_utc("2024-05-06").is_none());
        assert!(zoned_or_utc("-P1D").is_none());
    }

    #[test]
    fn an_http_date_has_its_fixed_form() {
        let date = http_date_from_now(5);
        assert_eq!(date.len(), "Sun, 06 Nov 1994 08:49:37 GMT".len(), "{date}");
        assert!(date.ends_with(" GMT"));
    }
}
