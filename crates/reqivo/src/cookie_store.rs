use url::Url;

/// Keeps cookies for a [`Session`](crate::Session) in place of a [`CookieJar`](crate::CookieJar); see
/// [`SessionBuilder::cookie_store`](crate::SessionBuilder::cookie_store).
///
/// Both methods are called in the middle of a request, so they must be quick and must not block.
pub trait CookieStore: Send + Sync {
    /// Takes the values of the `Set-Cookie` fields of a response to a request for this address.
    ///
    /// It is called for every response that has such fields, also for one that redirects.
    fn set_cookies(&self, url: &Url, fields: &mut dyn Iterator<Item = &[u8]>);

    /// Returns the value of the `Cookie` field for a request to this address, such as `a=1; b=2`, or `None`
    /// to send no cookie.
    ///
    /// It is called for every request, also for one that follows a redirect. A value that holds a control character is not
    /// sent.
    fn cookies(&self, url: &Url) -> Option<Vec<u8>>;
}
