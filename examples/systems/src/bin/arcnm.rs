//! Runs the service: `arcnm --help`.

#[tokio::main]
async fn main() -> Result<(), systems::host::Error> {
    systems::host::run::<systems::arcnm::Arcnm>().await
}
