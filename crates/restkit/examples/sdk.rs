//! A small SDK with both faces, in a screenful.
//!
//! Run it with `cargo run -p restkit --example sdk`. A scripted transport stands in for the service.

use futures_util::TryStreamExt as _;
use restkit::pagination::{PageStyle, Paginator};
use restkit::transport::MockTransport;
use restkit::{Error, Record, Request};
use serde::Deserialize;

restkit::open_enum! {
    /// What a machine is doing. Services grow, so values that are not known are kept.
    pub enum State {
        /// It works.
        Running = "running",
        /// It waits.
        Idle = "idle",
    }
}

/// A machine of the plant. `Record` keeps the members that are not listed here.
#[derive(Debug, Deserialize)]
pub struct Machine {
    /// Its id.
    pub id: String,
    /// What it is doing.
    pub state: Option<State>,
}

/// The service's client.
#[derive(Clone, Debug)]
pub struct Plant {
    rest: restkit::Client,
}

#[bifrons::dual(blocking = crate::blocking::Plant, always)]
impl Plant {
    /// Makes a client.
    ///
    /// # Errors
    /// A configuration error if the client cannot be set up.
    pub fn new(transport: MockTransport) -> Result<Self, Error> {
        let rest = restkit::Client::builder()
            .transport(transport)
            .base_url("https://plant.example.com/v1")
            .build()?;
        Ok(Self { rest })
    }

    /// Returns a machine.
    ///
    /// # Errors
    /// [`Error::is_not_found`] if there is no such machine.
    pub async fn machine(&self, id: &str) -> Result<Record<Machine>, Error> {
        let request = Request::get("/machines")
            .segment(id)
            .operation("get machine");
        self.rest.send(request).await?.json()
    }

    /// Returns all machines, page by page as they are asked for.
    #[blocking(wrap = restkit::blocking::Paginator<Record<Machine>>)]
    pub fn machines(&self) -> Paginator<Record<Machine>> {
        self.rest
            .paginate(Request::get("/machines"), PageStyle::key().max_size(500))
    }

    /// Stops a machine. It is sent at most once.
    ///
    /// # Errors
    /// [`Error::is_unclear_write`] if the machine may or may not have been stopped.
    pub async fn stop(&self, id: &str) -> Result<(), Error> {
        let request = Request::post("/machines").segment(id).segment("stop");
        self.rest
            .send(request.json(&serde_json::json!({}))?)
            .await?;
        Ok(())
    }
}

/// The same without `await`.
pub mod blocking {
    bifrons::blocking_type! {
        /// Blocking form of [`crate::Plant`].
        #[derive(Clone, Debug)]
        pub struct Plant wraps crate::Plant;
    }
}

fn service() -> MockTransport {
    MockTransport::new()
        .json(
            200,
            r#"{"items":[{"id":"a","state":"idle","hall":7}],"pages":{"nextKey":"k"}}"#,
        )
        .json(
            200,
            r#"{"items":[{"id":"b","state":"dreaming"}],"pages":{}}"#,
        )
        .status(503)
}

#[tokio::main(flavor = "current_thread")]
async fn async_face() -> Result<(), Error> {
    let plant = Plant::new(service())?;
    let machines: Vec<_> = plant.machines().try_collect().await?;
    assert_eq!(machines[0].member("hall"), Some(7.into()));
    assert_eq!(machines[1].state, Some(State::from("dreaming")));
    assert!(
        plant
            .stop("a")
            .await
            .is_err_and(|error| error.is_unclear_write())
    );
    Ok(())
}

fn blocking_face() -> Result<(), Error> {
    let plant = blocking::Plant::new(service())?;
    let machines = plant.machines().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(machines.len(), 2);
    assert!(plant.stop("a").is_err_and(|error| error.is_unclear_write()));
    Ok(())
}

fn main() -> Result<(), Error> {
    async_face()?;
    blocking_face()
}
