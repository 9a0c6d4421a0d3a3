//! What can be asked about alerts.

use restkit::Request;

use super::model::{Category, Product, Severity};
use crate::error::Error;
use crate::id::AlertId;
use crate::params::Query;
use crate::time::When;

/// Which alerts are wanted, and how much of each. The default is all of them.
///
/// Lists mean any of their values; different members must all fit.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct AlertFilter {
    /// Raised then or later. Relative times are resolved against the client's clock, as the service
    /// takes timestamps only.
    pub from: Option<When>,
    /// Raised before that.
    pub to: Option<When>,
    /// The products they come from.
    pub products: Vec<Product>,
    /// What they are about.
    pub categories: Vec<Category>,
    /// How bad they are.
    pub severities: Vec<Severity>,
    /// The key of alerts that belong together.
    pub group_key: Option<String>,
    /// These alerts only. An empty list is refused, as it would mean all of them.
    pub ids: Option<Vec<AlertId>>,
    /// The members that are wanted of each; the id always comes along. Default: all.
    pub fields: Vec<String>,
    /// The order: a field, or a field with `:asc` or `:desc`.
    pub sort: Vec<String>,
}

impl AlertFilter {
    pub(crate) fn apply(&self, query: Query) -> Result<Request, Error> {
        Ok(query
            .sort(&self.sort)?
            .timestamp("from", self.from.as_ref())?
            .timestamp("to", self.to.as_ref())?
            .closed("product", &self.products)?
            .closed("category", &self.categories)?
            .closed("severity", &self.severities)?
            .text("groupKey", self.group_key.as_deref())?
            .ids("ids", self.ids.as_deref())?
            .fields(&self.fields)
            .finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route;

    fn query(filter: &AlertFilter) -> Result<String, Error> {
        let now = "2024-05-06T07:08:09Z".parse().unwrap();
        let query = Query::new(route::ALERTS.request(&[]), now);
        filter.apply(query).map(|request| request.query_string())
    }

    #[test]
    fn every_filter_has_its_name_on_the_wire_and_durations_are_resolved() {
        let filter = AlertFilter {
            from: Some("2d".parse().unwrap()),
            to: Some("2024-05-06T09:08:09+02:00".parse().unwrap()),
            products: vec![Product::OtherProduct, Product::EmailGateway],
            categories: vec![Category::Pua],
            severities: vec![Severity::High, Severity::Medium],
            group_key: Some("MSxF+/=".to_owned()),
            ids: Some(vec!["a".into()]),
            fields: vec!["severity".to_owned()],
            sort: vec!["raisedAt:desc".to_owned()],
        };
        assert_eq!(
            query(&filter).unwrap(),
            [
                "sort=raisedAt%3Adesc",
                "from=2024-05-04T07%3A08%3A09.000Z",
                "to=2024-05-06T07%3A08%3A09.000Z",
                "product=other,emailGateway",
                "category=pua",
                "severity=high,medium",
                "groupKey=MSxF%2B%2F%3D",
                "ids=a",
                "fields=id,severity",
            ]
            .join("&")
        );
        assert_eq!(query(&AlertFilter::default()).unwrap(), "");
    }

    #[test]
    fn a_severity_that_does_not_exist_is_refused() {
        let filter = AlertFilter {
            severities: vec![Severity::from("critical")],
            ..AlertFilter::default()
        };
        assert!(query(&filter).unwrap_err().is_invalid_argument());
    }
}
