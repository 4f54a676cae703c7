//! Runs the service: `arka --help`.

#[tokio::main]
async fn main() -> Result<(), systems::host::Error> {
    systems::host::run::<systems::arka::Arka>().await
}
