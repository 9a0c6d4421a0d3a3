//! Requests without a session.

/// Declares the functions of one face, which has its own types.
macro_rules! functions {
    ($face:literal, $session:path, $builder:path) => {
        use http::Method;

        use crate::url_text::IntoUrl;

        #[doc = concat!("Starts a GET request of its own", $face, "; see [`request`].")]
        pub fn get(url: impl IntoUrl) -> $builder {
            request(Method::GET, url)
        }

        #[doc = concat!("Starts a HEAD request of its own", $face, "; see [`request`].")]
        pub fn head(url: impl IntoUrl) -> $builder {
            request(Method::HEAD, url)
        }

        #[doc = concat!("Starts an OPTIONS request of its own", $face, "; see [`request`].")]
        pub fn options(url: impl IntoUrl) -> $builder {
            request(Method::OPTIONS, url)
        }

        #[doc = concat!("Starts a POST request of its own", $face, "; see [`request`].")]
        pub fn post(url: impl IntoUrl) -> $builder {
            request(Method::POST, url)
        }

        #[doc = concat!("Starts a PUT request of its own", $face, "; see [`request`].")]
        pub fn put(url: impl IntoUrl) -> $builder {
            request(Method::PUT, url)
        }

        #[doc = concat!("Starts a PATCH request of its own", $face, "; see [`request`].")]
        pub fn patch(url: impl IntoUrl) -> $builder {
            request(Method::PATCH, url)
        }

        #[doc = concat!("Starts a DELETE request of its own", $face, "; see [`request`].")]
        pub fn delete(url: impl IntoUrl) -> $builder {
            request(Method::DELETE, url)
        }

        #[doc = concat!("Starts a request of its own", $face, ", with the default settings.")]
        ///
        /// It shares nothing with any other: a connection is opened for it and closed after it, and cookies live as long
        /// as the call with its redirects. Where more than one request goes to the same server, or settings are needed,
        /// a session is faster: with https each of these loads the trusted certificates anew.
        pub fn request(method: Method, url: impl IntoUrl) -> $builder {
            <$session>::one_shot().request(method, url)
        }
    };
}

functions!("", crate::Session, crate::RequestBuilder);

/// The same for the blocking face.
#[cfg(feature = "blocking")]
pub(crate) mod blocking {
    functions!(
        " on this thread",
        crate::blocking::Session,
        crate::blocking::RequestBuilder
    );
}
