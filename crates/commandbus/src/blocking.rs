//! The blocking face: the same names and the same results without `await`.

bifrons::blocking_type! {
    /// Blocking form of [`crate::Database`].
    #[derive(Clone, Debug)]
    pub struct Database wraps crate::Database;

    /// Blocking form of [`crate::DatabaseBuilder`].
    #[derive(Clone, Debug)]
    pub struct DatabaseBuilder wraps crate::DatabaseBuilder;

    /// Blocking form of [`crate::Transaction`].
    #[derive(Debug)]
    pub struct Transaction wraps crate::Transaction;

    /// Blocking form of [`crate::CommandBus`].
    #[derive(Clone, Debug)]
    pub struct CommandBus wraps crate::CommandBus;

    /// Blocking form of [`crate::TroubleshootingQueue`].
    #[derive(Clone, Debug)]
    pub struct TroubleshootingQueue wraps crate::TroubleshootingQueue;
}
