//! Which members of a record a request wants.

use serde_json::{Map, Value};

use crate::{json::Json, problem::Problem, query::Query};

/// The wish for members, from `fields` and `view`.
#[derive(Clone, Debug)]
pub(crate) struct Projection {
    pub(crate) view: View,
    fields: Option<Vec<Vec<String>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    Basic,
    Summary,
    Full,
}

impl Projection {
    /// Reads `fields` and, when `views` says that the route has one, `view`. A field whose first part is not in `known` is refused.
    pub(crate) fn parse(query: &Query, known: &[&str], views: bool) -> Result<Self, Problem> {
        let view = match if views { query.one("view")? } else { None } {
            None | Some("summary") => View::Summary,
            Some("basic") => View::Basic,
            Some("full") => View::Full,
            Some(_) => return Err(Problem::bad_value("view")),
        };
        let Some(list) = query.list("fields")? else {
            return Ok(Self { view, fields: None });
        };
        let mut fields = Vec::new();
        for field in &list {
            let path: Vec<String> = field.split('.').map(str::to_owned).collect();
            if !path
                .first()
                .is_some_and(|first| known.contains(&first.as_str()))
            {
                return Err(Problem::bad_request(format!("Unknown field {field}")));
            }
            fields.push(path);
        }
        // A field that is asked for comes in every view.
        Ok(Self {
            view: View::Full,
            fields: Some(fields),
        })
    }

    /// Writes a record, cut down to the fields asked for: exactly these, also when `id` is not among them.
    pub(crate) fn write(&self, json: &mut Json, record: impl FnOnce(View, &mut Json)) {
        let Some(fields) = &self.fields else {
            record(self.view, json);
            return;
        };
        let mut whole = Json::new();
        record(self.view, &mut whole);
        let whole: Value = serde_json::from_slice(&whole.finish()).unwrap_or_default();
        let mut wanted = Value::Object(Map::new());
        for path in fields {
            copy(&whole, &mut wanted, path);
        }
        json.raw(wanted.to_string().as_bytes());
    }
}

fn copy(from: &Value, to: &mut Value, path: &[String]) {
    let (Some((first, rest)), Value::Object(to)) = (path.split_first(), to) else {
        return;
    };
    let Some(value) = from.get(first) else {
        return;
    };
    if rest.is_empty() || !value.is_object() {
        to.insert(first.clone(), value.clone());
        return;
    }
    let inner = to
        .entry(first.clone())
        .or_insert_with(|| Value::Object(Map::new()));
    copy(value, inner, rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_fields_asked_for_come_back() {
        let query = Query::parse("fields=a.b,c").unwrap();
        let projection = Projection::parse(&query, &["a", "c"], false).unwrap();
        let mut json = Json::new();
        projection.write(&mut json, |_, json| {
            json.raw(br#"{"id":1,"a":{"b":2,"x":3},"c":[4],"d":5}"#);
        });
        assert_eq!(json.finish(), br#"{"a":{"b":2},"c":[4]}"#);
        assert!(Projection::parse(&query, &["a"], false).is_err());
    }
}
