//! Runs the service: `arpia --help`.

#[tokio::main]
async fn main() -> Result<(), systems::host::Error> {
    systems::host::run::<systems::arpia::Arpia>().await
}
