//! Between a key host that reaches no witness, and the witness: what is carried, either side signed itself.

use crate::client::Client;
use crate::error::Error;
use chancery_proto::v1::request_log_service_client::RequestLogServiceClient;
use chancery_proto::v1::{GetWitnessRequestRequest, PutWitnessAnswerRequest};

impl Client {
    /// What is to be posted to `add-checkpoint` of a witness (C2SP tlog-witness), by its verification key; `None` when it has cosigned the
    /// newest checkpoint.
    ///
    /// # Errors
    /// [`Error`]; a refusal when the key host does not know the witness.
    pub async fn witness_request(&self, witness: &str) -> Result<Option<Vec<u8>>, Error> {
        let ask = |channel| async move {
            let request = GetWitnessRequestRequest { witness: witness.to_owned() };
            Ok(RequestLogServiceClient::new(channel).get_witness_request(request).await?.into_inner().body)
        };
        match self.host.patience.call(&self.host.lines, ask).await {
            Ok((body, _)) => Ok(Some(body.to_vec()).filter(|body| !body.is_empty())),
            Err(failure) => Err(self.plain(failure)),
        }
    }

    /// Brings what the witness answered; whether it is to be asked again at once.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn witness_answer(&self, witness: &str, status: u16, content_type: &str, body: &[u8]) -> Result<bool, Error> {
        let bring = |channel| async move {
            let (witness, content_type) = (witness.to_owned(), content_type.to_owned());
            let answer = PutWitnessAnswerRequest { witness, status: status.into(), content_type, body: body.to_vec().into() };
            Ok(RequestLogServiceClient::new(channel).put_witness_answer(answer).await?.into_inner().again)
        };
        match self.host.patience.call(&self.host.lines, bring).await {
            Ok((again, _)) => Ok(again),
            Err(failure) => Err(self.plain(failure)),
        }
    }
}
