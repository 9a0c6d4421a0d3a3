pub struct Api;

#[dual(blocking = super::blocking::Api, part = "reads")]
impl Api {
    pub async fn read(&self) {}
}

pub mod inline {
    impl super::Api {
        pub(super) async fn detail(&self) {}
    }
}
