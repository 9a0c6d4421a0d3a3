use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Phase};

/// Reads JSON; the error names the path to what did not fit.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    // Tracking the path costs, so it is done only for the message of an error.
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let mut parser = serde_json::Deserializer::from_slice(body);
    let failed = || Error::new(ErrorKind::Json, Phase::Body);
    match serde_path_to_error::deserialize(&mut parser) {
        Ok(value) => match parser.end() {
            Ok(()) => Ok(value),
            Err(error) => Err(failed()
                .with_message("unexpected json after the value")
                .with_source(error)),
        },
        Err(error) => {
            let path = error.path().to_string();
            let failed = match path.as_str() {
                "." => failed().with_message("unexpected json"),
                path => failed().with_text(format!("unexpected json at `{path}`")),
            };
            Err(failed.with_source(error.into_inner()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn an_error_names_the_path_and_shows_one_line() {
        let error = parse::<HashMap<String, Vec<u32>>>(br#"{"a":[1,2],"b":[3,"x"]}"#).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("unexpected json at `b[1]`: invalid type: string"),
            "{text}"
        );
        assert!(error.is_decode() && error.kind() == ErrorKind::Json);
    }

    #[test]
    fn truncated_and_trailing_input_is_refused() {
        assert!(parse::<Vec<u32>>(b"[1,2").is_err());
        assert!(
            parse::<Vec<u32>>(b"[1] x")
                .unwrap_err()
                .to_string()
                .contains("after the value")
        );
        assert!(parse::<u32>(b"").is_err());
    }
}
