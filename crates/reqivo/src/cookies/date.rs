//! The dates of `Expires`, read as leniently as RFC 6265bis 5.1.1 asks for.

/// Reads a cookie date and returns it in seconds since 1970.
///
/// Year, month, day and time may stand in any order, between anything else. A two-digit year is one from 1970
/// to 2069. `None` when a part is missing or there is no such date.
pub(super) fn parse(text: &[u8]) -> Option<i64> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(|&byte| is_delimiter(byte)) {
        if time.is_none() {
            time = time_of(token);
            if time.is_some() {
                continue;
            }
        }
        if day.is_none() {
            day = number(token, 1, 2);
            if day.is_some() {
                continue;
            }
        }
        if month.is_none() {
            month = month_of(token);
            if month.is_some() {
                continue;
            }
        }
        if year.is_none() {
            year = number(token, 2, 4);
        }
    }
    let ((hour, minute, second), day, month, mut year) = (time?, day?, month?, year?);
    match year {
        70..=99 => year += 1900,
        0..=69 => year += 2000,
        _ => {}
    }
    if year < 1601 || day < 1 || day > days_in(month, year) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (hour, minute, second) = (i64::from(hour), i64::from(minute), i64::from(second));
    Some(days_before(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, 0x09 | 0x20..=0x2f | 0x3b..=0x40 | 0x5b..=0x60 | 0x7b..=0x7e)
}

/// The number at the start of a token: so many digits, then no further digit.
fn number(token: &[u8], at_least: usize, at_most: usize) -> Option<u32> {
    let digits = token
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if digits < at_least || digits > at_most {
        return None;
    }
    std::str::from_utf8(token.get(..digits)?).ok()?.parse().ok()
}

fn time_of(token: &[u8]) -> Option<(u32, u32, u32)> {
    let mut parts = token.splitn(3, |&byte| byte == b':');
    // What follows the minutes' digits is a colon, so only the seconds may have a tail.
    let whole = |part: &[u8]| (part.len() <= 2).then(|| number(part, 1, 2)).flatten();
    let (hour, minute) = (parts.next()?, parts.next()?);
    let all_digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    if !all_digits(hour) || !all_digits(minute) {
        return None;
    }
    Some((whole(hour)?, whole(minute)?, number(parts.next()?, 1, 2)?))
}

fn month_of(token: &[u8]) -> Option<u32> {
    let start = token.get(..3)?;
    let at = MONTHS
        .iter()
        .position(|month| start.eq_ignore_ascii_case(month))?;
    u32::try_from(at).ok().map(|at| at + 1)
}

fn days_in(month: u32, year: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days from 1970-01-01 to a date, in the Gregorian calendar.
fn days_before(year: u32, month: u32, day: u32) -> i64 {
    // Years that begin in March end with the leap day.
    let (year, month, day) = (i64::from(year), i64::from(month), i64::from(day));
    let (year, month) = match month > 2 {
        true => (year, month - 3),
        false => (year - 1, month + 9),
    };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - DAYS_TO_1970
}

const MONTHS: [&[u8]; 12] = [
    b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec",
];

/// The days from 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2007-08-07 08:04:19.
    const MOMENT: i64 = 1_186_473_859;

    #[test]
    fn the_forms_of_rfc_9110_and_many_others_are_read() {
        for text in [
            "Tue, 07 Aug 2007 08:04:19 GMT",
            "Tuesday, 07-Aug-07 08:04:19 GMT",
            "Tue Aug  7 08:04:19 2007",
            "Tue, 7 Aug 07 8:4:19 UTC",
            "2007 aug 7 08:04:19",
            "08:04:19 7 August 2007",
            "Tue, 07-Aug-2007 08:04:19 GMT-junk",
            "07/Aug/2007 08:04:19",
            "Mon,Tue,07.Aug.2007;08:04:19.999",
            "\t07 Augustus 2007 08:04:19Z",
            "07th Aug 2007AD 08:04:19 +0200",
            "7 aug 12345 2007 08:04:19",
        ] {
            assert_eq!(parse(text.as_bytes()), Some(MOMENT), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_not_taken_for_one() {
        for text in [
            "",
            "Thu",
            "Tue, 07 Aug 2007",
            "07 Aug 08:04:19",
            "Aug 2007 08:04:19",
            "07 2007 08:04:19",
            "31 Feb 2007 08:04:19",
            "29 Feb 2007 08:04:19",
            "31 Apr 2007 08:04:19",
            "00 Aug 2007 08:04:19",
            "32 Aug 2007 08:04:19",
            "07 Aug 1600 08:04:19",
            "07 Aug 2007 24:00:00",
            "07 Aug 2007 08:60:00",
            "07 Aug 2007 08:04:60",
            "07 Aug 2007 08:04",
            "07 Aug 2007 a8:04:19",
            "07 Aug 2007 008:04:19",
            "99:99:9999 08:04:19 07 Aug 2007",
            "07 Aug 2007 08:04:019",
            "07 A\u{fc}g 2007 08:04:19",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn two_digit_years_lie_between_1970_and_2069() {
        for (text, year) in [
            ("70", 1970),
            ("99", 1999),
            ("00", 2000),
            ("69", 2069),
            ("007", 2007),
        ] {
            let short = format!("07 Aug {text} 08:04:19");
            let long = format!("07 Aug {year} 08:04:19");
            assert_eq!(parse(short.as_bytes()), parse(long.as_bytes()), "{text}");
        }
        assert_eq!(parse(b"01 Jan 1970 00:00:00"), Some(0));
        assert_eq!(parse(b"31 Dec 1969 23:59:59"), Some(-1));
        assert_eq!(parse(b"29 Feb 2000 00:00:00"), Some(951_782_400));
        assert_eq!(parse(b"01 Jan 1601 00:00:00"), Some(-11_644_473_600));
        assert_eq!(parse(b"31 Dec 9999 23:59:59"), Some(253_402_300_799));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = parse(&text);
        }

        #[test]
        fn a_later_date_gives_a_larger_number(seconds in 0_i64..253_402_300_799) {
            // The other way round by counting: the day found must be the day asked for.
            let day = seconds.div_euclid(86_400);
            let (mut year, mut rest) = (1970_u32, day);
            let length = |year| (1..=12).map(|month| i64::from(days_in(month, year))).sum::<i64>();
            while rest >= length(year) {
                rest -= length(year);
                year += 1;
            }
            let mut month = 1;
            while rest >= i64::from(days_in(month, year)) {
                rest -= i64::from(days_in(month, year));
                month += 1;
            }
            let (time, name) = (seconds.rem_euclid(86_400), MONTHS[month as usize - 1]);
            let text = format!(
                "x, {:02} {} {year} {:02}:{:02}:{:02} GMT",
                rest + 1, String::from_utf8_lossy(name), time / 3600, time / 60 % 60, time % 60,
            );
            prop_assert_eq!(parse(text.as_bytes()), Some(seconds), "{}", text);
        }
    }
}
