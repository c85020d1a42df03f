//! A receiver that runs, on ports of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use mef_receiver::{Admin, Clock, Drained, Limits, Receiver, Route, SystemClock, Table, serve};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Answer, Client, Scrape};

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) receiver: Arc<Receiver>,
    pub(crate) shutdown: CancellationToken,
    running: JoinHandle<Drained>,
}

impl Server {
    pub(crate) async fn start(routes: Vec<Route>) -> Self {
        Self::with_limits(routes, Limits::default()).await
    }

    pub(crate) async fn with_limits(routes: Vec<Route>, limits: Limits) -> Self {
        Self::with(routes, limits, Arc::new(SystemClock), Admin::default()).await
    }

    pub(crate) async fn with(
        routes: Vec<Route>,
        limits: Limits,
        clock: Arc<dyn Clock>,
        admin: Admin,
    ) -> Self {
        let table = Table::new(routes).expect("a table");
        let receiver = Receiver::new(table, clock, limits);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let admin_listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (address, admin_address) = (
            listener.local_addr().expect("its address"),
            admin_listener.local_addr().expect("its address"),
        );
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(serve(
            listener,
            admin_listener,
            receiver.clone(),
            admin,
            shutdown.clone(),
        ));
        Self {
            address,
            admin: admin_address,
            receiver,
            shutdown,
            running,
        }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut client = self.connect().await;
        client.send(request).await;
        client.answer().await
    }

    pub(crate) async fn ask_admin(&self, path: &str, token: Option<&str>) -> Answer {
        let mut client = Client::connect(self.admin).await;
        let token = token.map_or(String::new(), |token| {
            format!("authorization: Bearer {token}\r\n")
        });
        client
            .send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{token}\r\n"))
            .await;
        client.answer().await
    }

    pub(crate) async fn scrape(&self) -> Scrape {
        let answer = self.ask_admin("/metrics", None).await;
        assert_eq!(answer.status, 200);
        Scrape::read(&answer.text())
    }

    pub(crate) async fn stop(self) -> Drained {
        self.shutdown.cancel();
        self.ended().await
    }

    pub(crate) async fn ended(self) -> Drained {
        tokio::time::timeout(super::DEADLINE, self.running)
            .await
            .expect("an end in time")
            .expect("no panic")
    }
}
