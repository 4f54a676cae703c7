//! Runs the service: `authpi --help`.

#[tokio::main]
async fn main() -> Result<(), systems::host::Error> {
    systems::host::run::<systems::authpi::AuthPi>().await
}
