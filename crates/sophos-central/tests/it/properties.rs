//! Properties of what is read from outside.

use proptest::prelude::*;
use sophos_central::endpoint::TamperProtection;
use sophos_central::{EndpointId, Record, Time, When};

proptest! {
    #[test]
    fn any_text_is_a_point_in_time_or_refused_and_what_is_sent_has_a_zone(text in "\\PC{0,30}") {
        if let Ok(when) = text.parse::<When>() {
            let sent = when.to_string();
            if when.is_relative() {
                prop_assert!(sent.trim_start_matches(['+', '-']).starts_with('P'));
            } else {
                prop_assert!(sent.ends_with('Z'), "{sent}");
            }
            // What is sent reads the same again.
            let again: When = sent.parse().unwrap();
            prop_assert_eq!(again.to_string(), sent);
        }
        // Reading never fails, and keeps the text.
        let time = Time::from(&*text);
        let _ = time.timestamp();
        prop_assert_eq!(time.as_str(), text);
    }

    #[test]
    fn likely_points_in_time_are_handled(
        text in "[+-]?P?([0-9]{1,12}[YMWDHSdhmsw])?T?([0-9]{0,3}[.]?[0-9]{0,3}[HMSZ])?",
    ) {
        if let Ok(when) = text.parse::<When>() {
            // Out of range is an error, not a panic.
            drop(when.resolve("2025-02-03T07:00:00Z".parse().unwrap()));
        }
    }

    #[test]
    fn timestamps_keep_their_moment(seconds in -62_000_000_000_i64..250_000_000_000, millis in 0..1000_i32) {
        let moment = jiff::Timestamp::new(seconds, millis * 1_000_000);
        prop_assume!(moment.is_ok());
        let moment = moment.unwrap();
        let sent = When::at(moment).to_string();
        prop_assert_eq!(sent.parse::<jiff::Timestamp>().unwrap(), moment);
    }

    #[test]
    fn ids_compare_as_they_hash(left in "[0-9a-fA-F]{8}-[0-9aA]{4}-4a5b-9c6d-[0-9aA]{12}", flip in any::<bool>()) {
        use std::hash::BuildHasher as _;
        let right = if flip { left.to_uppercase() } else { left.to_lowercase() };
        let (left, right) = (EndpointId::from(left), EndpointId::from(right));
        prop_assert_eq!(&left, &right);
        let hasher = std::hash::RandomState::new();
        prop_assert_eq!(hasher.hash_one(&left), hasher.hash_one(&right));
        prop_assert_eq!(left.cmp(&right), std::cmp::Ordering::Equal);
    }

    #[test]
    fn masking_changes_passwords_only(password in "[^\\x00-\\x1f]{1,20}", other in "[^\\x00-\\x1f]{0,20}") {
        let value = serde_json::json!({
            "enabled": true, "other": [other, {"x": null}], "password": password,
        });
        let record: Record<TamperProtection> = serde_json::from_value::<serde_json::Value>(value.clone())
            .and_then(|value| serde_json::from_str(&value.to_string()))
            .unwrap();
        let masked: serde_json::Value =
            serde_json::from_str(TamperProtection::masked(&record).get()).unwrap();
        let mut expected = value;
        expected["password"] = "********".into();
        prop_assert_eq!(masked, expected);
    }
}
