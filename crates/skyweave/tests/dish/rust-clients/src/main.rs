//! Asks a dish through the crates `starlink` and `starlink-grpc-client`: one status by each of their calls.

use starlink::proto::space_x::api::device::{
    GetStatusRequest, Request, ToDevice, device_client::DeviceClient, from_device, request, response, to_device,
};
use starlink_grpc_client::client::DishClient;

fn get_status(id: u64) -> Request {
    Request {
        id: Some(id),
        epoch_id: None,
        target_id: None,
        request: Some(request::Request::GetStatus(GetStatusRequest {})),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let target = format!("http://{}", std::env::args().nth(1).ok_or("usage: rust-clients HOST:PORT")?);

    let mut client = DeviceClient::connect(target.clone()).await?;
    let answer = client.handle(tonic10::Request::new(get_status(1))).await?.into_inner();
    let Some(response::Response::DishGetStatus(status)) = answer.response else { return Err("no status".into()) };
    let id = status.device_info.and_then(|info| info.id).ok_or("no id")?;

    let asked: Vec<_> = (10..13)
        .map(|id| ToDevice { message: Some(to_device::Message::Request(get_status(id))) })
        .collect();
    let mut answers = client.stream(tonic10::Request::new(futures_iter(asked))).await?.into_inner();
    for expected in 10..13 {
        let answer = answers.message().await?.ok_or("the stream ended")?;
        let Some(from_device::Message::Response(response)) = answer.message else { return Err("no response".into()) };
        assert_eq!(response.id, Some(expected), "answers come in order");
        assert!(response.response.is_some());
    }

    let status = DishClient::connect(&target).await?.get_status().await?;
    println!("\"{id}\"");
    eprintln!("{status:?}");
    Ok(())
}

fn futures_iter<T: Send + 'static>(items: Vec<T>) -> impl futures::Stream<Item = T> {
    futures::stream::iter(items)
}
