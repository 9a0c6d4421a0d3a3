//! A deliberately missing method of each kind.

pub struct Client;

#[bifrons::dual(blocking = crate::blocking::Client)]
impl Client {
    pub async fn get(&self) {}
    pub async fn unlisted(&self) {}
}

impl Client {
    pub async fn forgotten(&self) {}
    pub fn forgotten_stream(&self) -> Pin<Box<dyn Stream<Item = u8>>> {}
    pub fn forgotten_future(&self) -> BoxFuture<'_, u8> {}
}

pub async fn forgotten_function() {}

#[dual(blocking = crate::blocking::Other)]
impl Other {
    pub async fn get(&self) {}
}
