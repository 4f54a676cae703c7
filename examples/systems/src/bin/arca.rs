//! Runs the service: `arca --help`.

#[tokio::main]
async fn main() -> Result<(), systems::host::Error> {
    systems::host::run::<systems::arca::Arca>().await
}
