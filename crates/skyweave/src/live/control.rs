//! The control socket: how other processes of the same user find and join a running network.

use skyweave_base::TerminalId;

/// Decides what joining processes ask for. Called from threads of the control socket.
pub trait Controller: Send + Sync {
    /// State of the network for `status` requests, one JSON object.
    fn status(&self) -> serde_json::Value;

    /// The terminal at a place: an existing one, or a new one that the controller first adds with
    /// [`super::Network::add_terminal`]. `Err` is a sentence for the user. It should return once the terminal has service,
    /// or as soon as it is clear that it will not have it.
    fn attach(&self, place: &str) -> Result<TerminalId, String>;

    /// The process for which `attach` gave this terminal has gone. Called once for each successful `attach`.
    fn detach(&self, terminal: TerminalId);
}
