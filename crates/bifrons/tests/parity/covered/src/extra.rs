pub struct Extra;

#[dual(blocking = crate::blocking::Extra)]
impl Extra {
    pub async fn more(&self) {}
}
