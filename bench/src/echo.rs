//! The smallest dual type, for measuring what the generated method itself costs.

/// An error that can carry a misuse of the blocking face.
#[derive(Debug)]
pub struct Error(pub bifrons::BlockingError);

impl From<bifrons::BlockingError> for Error {
    fn from(error: bifrons::BlockingError) -> Self {
        Self(error)
    }
}

/// A type whose one method is ready at once.
#[derive(Debug, Clone, Default)]
pub struct Echo(());

#[bifrons::dual(blocking = crate::echo::blocking::Echo)]
impl Echo {
    /// Makes one.
    pub fn new() -> Self {
        Self(())
    }

    /// Returns its argument.
    ///
    /// # Errors
    ///
    /// Never on the async face.
    pub async fn ready(&self, n: usize) -> Result<usize, Error> {
        Ok(n)
    }
}

/// The generated face.
pub mod blocking {
    bifrons::blocking_type!(
        /// Blocking form of [`crate::echo::Echo`].
        #[derive(Clone)]
        pub struct Echo wraps crate::echo::Echo
    );
}
