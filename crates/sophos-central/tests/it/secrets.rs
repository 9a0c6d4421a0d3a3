//! Secrets are never printed.

use restkit::transport::MockTransport;
use sophos_central::endpoint::TamperProtection;
use sophos_central::{Client, EndpointId};

use crate::support::{ENDPOINT, SECRET, TOKEN, client, config, tenant};

const PASSWORD: &str = "k7-Hazel-Quay-31";

fn clean(what: &str, text: &str) {
    for secret in [SECRET, TOKEN, PASSWORD, "the-old-one"] {
        assert!(!text.contains(secret), "{what} shows a secret: {text}");
    }
}

#[tokio::test]
async fn secrets_do_not_show_in_debug_output_errors_or_what_was_not_sent() {
    let tamper = format!(
        r#"{{"enabled":true,"password":"{PASSWORD}","previousPasswords":[{{"password":"the-old-one"}}]}}"#
    );
    let mock = tenant()
        .json(200, tamper.clone())
        .json(200, tamper.replace("true", "\"perhaps\""))
        .json(400, tamper.clone())
        .json(500, tamper);
    let settings = config(&mock);
    clean("settings", &format!("{settings:?}"));
    let client = client(&mock);
    let id = EndpointId::from(ENDPOINT);
    let read = client.endpoint().tamper_protection(&id).await.unwrap();
    assert_eq!(read.expose_password(), Some(PASSWORD));
    clean("the record", &format!("{read:?}"));
    clean("the masked record", TamperProtection::masked(&read).get());

    for _ in 0..2 {
        let error = client.endpoint().tamper_protection(&id).await.unwrap_err();
        clean(
            "an error",
            &format!("{error} {error:?} {:?}", error.body_snippet()),
        );
    }
    let change = sophos_central::endpoint::TamperChange::new().regenerate_password();
    let error = client
        .endpoint()
        .update_tamper_protection(&id, change)
        .await
        .unwrap_err();
    clean(
        "an unclear change",
        &format!("{error} {error:?} {:?}", error.body_snippet()),
    );
    let error = client
        .without_writes()
        .endpoint()
        .scan(&id)
        .await
        .unwrap_err();
    clean(
        "a request not sent",
        &format!("{error} {error:?} {:?}", error.not_sent()),
    );
    clean(
        "the client",
        &format!("{client:?} {:?}", client.endpoint().list()),
    );
}

#[tokio::test]
async fn a_token_service_that_echoes_the_secret_does_not_spread_it() {
    let body = format!(r#"{{"errorCode":"bad","message":"no","client_secret":"{SECRET}"}}"#);
    let mock = MockTransport::new().json(400, body);
    let client = Client::new(config(&mock)).unwrap();
    let error = client.whoami().await.unwrap_err();
    let mut chain = format!("{error} {error:?} {:?}", error.body_snippet());
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        chain.push_str(&format!(" {error} {error:?}"));
        cause = error.source();
    }
    clean("the error chain", &chain);
}
