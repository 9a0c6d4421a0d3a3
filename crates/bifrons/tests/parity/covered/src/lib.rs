//! Everything is covered, skipped with a reason, or no part of the public face.

mod area;
#[cfg(feature = "extra")]
mod extra;
#[cfg(test)]
mod tests;

pub struct Client;

#[bifrons::dual(blocking = crate::blocking::Client)]
impl Client {
    pub async fn get(&self, id: u8) -> Result<u8, Error> {}
    pub fn list(&self) -> impl Stream<Item = u8> + Send {}
    #[blocking(wrap = crate::blocking::Paginator<Pair<u8, u8>>)]
    pub fn pages(&self) -> Paginator<Pair<u8, u8>> {}
    #[blocking(iter = Result<u8, Error>)]
    pub async fn events(&self) -> Events {}
    #[cfg(feature = "extra")]
    pub async fn extra(&self) {}
    #[blocking(skip = "async callback")]
    pub async fn visit(&self, f: impl AsyncFn()) {}
    pub(crate) async fn inside(&self) {}
    async fn private(&self) {}
    pub fn name(&self) -> &str {}
}

impl Client {
    /// Not async: needs no blocking form here.
    pub fn plain(&self) -> u8 {}
    pub(crate) async fn also_inside(&self) {}
}

impl Drop for Client {
    fn drop(&mut self) {}
}

#[dual(skip = "handed to async code only")]
impl Only {
    pub async fn wait(&self) {}
}

pub async fn free() {}

struct Hidden;

impl Hidden {
    pub async fn not_reachable(&self) {}
}

#[cfg(test)]
impl Client {
    pub async fn for_tests(&self) {}
}
