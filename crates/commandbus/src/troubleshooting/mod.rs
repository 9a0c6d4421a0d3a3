//! The troubleshooting queue: commands that wait for the decision of a person.

mod model;

pub use self::model::TroubleshootingItem;
