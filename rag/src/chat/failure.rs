//! What does a failure of an endpoint mean, and is it worth asking again? Vendors say it with a status, a code, or both, in
//! bodies of several shapes.

use std::time::Duration;

use serde_json::Value;

use crate::{RagError, card::Dialect};

/// A failed attempt.
#[derive(Debug)]
pub struct Setback {
    /// What to tell.
    pub error: RagError,
    /// Whether to try again.
    pub again: Again,
}

/// Whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// The same request would fail in the same way.
    No,
    /// Once: it is a matter of the way there.
    Once,
    /// After a moment.
    Soon,
    /// When the endpoint says so.
    After(Duration),
}

impl Setback {
    /// A failure that another attempt does not change.
    pub fn last(error: RagError) -> Self {
        Self { error, again: Again::No }
    }

    /// A response that is not a success.
    pub fn of_response(dialect: &Dialect, status: u16, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let told = serde_json::from_str(&text).ok().as_ref().and_then(Told::read);
        let reason = match &told {
            Some(told) => format!("it answered {status}: {}", told.in_words()),
            None => format!("it answered {status}: {}", short(&text)),
        };
        let again = retry_after.map_or(Again::Soon, Again::After);
        let has = |codes: &[String]| told.as_ref().is_some_and(|told| told.has(codes));
        if has(&dialect.quota) || status == 402 {
            return Self::last(RagError::ModelQuota { reason });
        }
        match status {
            408 | 500.. => Self { error: RagError::ModelUnavailable { reason }, again },
            429 => Self { error: RagError::ModelRateLimited { reason }, again },
            _ if has(&dialect.retryable) => Self { error: RagError::ModelRateLimited { reason }, again },
            401 | 403 => Self::last(RagError::ModelUnauthorized { reason }),
            _ => Self::last(RagError::ModelUnavailable { reason }),
        }
    }

    /// An error where an answer was promised.
    pub fn of_error(dialect: &Dialect, told: &Told) -> Self {
        let reason = told.in_words();
        if told.has(&dialect.quota) {
            Self::last(RagError::ModelQuota { reason })
        } else if told.has(&dialect.retryable) || told.code == "429" {
            Self { error: RagError::ModelRateLimited { reason }, again: Again::Soon }
        } else {
            Self::last(RagError::ModelBadResponse { reason })
        }
    }
}

/// What the body of an error tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    code: String,
    kind: String,
    message: String,
}

impl Told {
    /// The error in a JSON value; `None` if it tells of none.
    pub fn read(value: &Value) -> Option<Self> {
        let value = if value.is_array() { &value[0] } else { value };
        let nested =
            ["error", "Error", "header"].iter().map(|name| &value[*name]).find(|error| !error.is_null() && **error != "");
        // Native bodies wrap once more: `{"Response":{"Error":…}}`.
        let nested = nested.or_else(|| Some(&value["Response"]["Error"]).filter(|error| !error.is_null()));
        let flat = ["code", "error_code", "errcode", "errorCode"].iter().any(|name| !value[*name].is_null());
        let error = match nested {
            Some(error) => error,
            None if flat && value.get("choices").is_none() => value,
            None => return None,
        };
        let first = |names: &[&str]| names.iter().find_map(|name| word(&error[*name])).unwrap_or_default();
        let code = first(&["code", "Code", "error_code", "errcode", "errorCode"]);
        // The codes of those that send one with every success.
        if ["0", "Success"].contains(&code.as_str()) {
            return None;
        }
        let message = error
            .as_str()
            .map(str::to_owned)
            .unwrap_or_else(|| first(&["message", "Message", "msg", "error_msg", "errmsg", "errorMsg", "detail"]));
        Some(Self { code, kind: first(&["type", "status"]), message })
    }

    /// Whether this is its code or its kind.
    pub fn says(&self, code: &str) -> bool {
        self.code == code || self.kind == code
    }

    fn has(&self, codes: &[String]) -> bool {
        codes.iter().any(|code| self.says(code))
    }

    /// For a person: the message, and the code if there is one.
    pub fn in_words(&self) -> String {
        let message = if self.message.is_empty() { "an error without a message" } else { &self.message };
        match self.code.is_empty() {
            true => short(message),
            false => format!("{} (code {})", short(message), short(&self.code)),
        }
    }
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A text of others in one line, not too long.
pub fn short(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(200) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use index::fault::Coded;

    use super::*;
    use crate::card::Cards;

    /// What vendors answer, each with the code it becomes and whether it is tried again.
    #[test]
    fn bodies_of_vendors_become_codes() {
        let cards = Cards::load(None).unwrap();
        let check = |card: &str, status: u16, body: &str, code: &str, again: Again| {
            let dialect = cards.get(card).unwrap().dialect("x");
            let setback = Setback::of_response(&dialect, status, None, body.as_bytes());
            assert_eq!((setback.error.code(), setback.again), (code, again), "{card} {status} {body}: {}", setback.error);
        };
        let (no, soon) = (Again::No, Again::Soon);
        check(
            "openai",
            429,
            r#"{"error":{"message":"Rate limit reached","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#,
            "llm_rate_limited",
            soon,
        );
        check(
            "openai",
            429,
            r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
            "llm_quota_exhausted",
            no,
        );
        check(
            "openai",
            401,
            r#"{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
            "llm_unauthorized",
            no,
        );
        check(
            "dashscope",
            400,
            r#"{"error":{"message":"parameter.enable_thinking must be set to false for non-streaming calls","type":"invalid_request_error","param":null,"code":"invalid_parameter_error"},"id":"x","request_id":"y"}"#,
            "llm_unavailable",
            no,
        );
        check(
            "dashscope",
            400,
            r#"{"error":{"message":"Access denied","type":"Arrearage","param":null,"code":"Arrearage"}}"#,
            "llm_quota_exhausted",
            no,
        );
        check(
            "ark",
            404,
            r#"{"error":{"code":"InvalidEndpointOrModel.ModelIDAccessDisabled","message":"use an endpoint id","param":"","type":"Not Found"}}"#,
            "llm_unavailable",
            no,
        );
        check(
            "ark",
            429,
            r#"{"error":{"code":"RateLimitExceeded.EndpointRPMExceeded","message":"slow down","param":"","type":"TooManyRequests"}}"#,
            "llm_rate_limited",
            soon,
        );
        check(
            "ark",
            401,
            r#"{"error":{"code":"AuthenticationError","message":"bad key","param":"","type":"Unauthorized"}}"#,
            "llm_unauthorized",
            no,
        );
        check(
            "qianfan",
            429,
            r#"{"error":{"code":"rpm_rate_limit_exceeded","message":"Rate limit reached for RPM","type":"rate_limit_exceeded"},"id":"as-1"}"#,
            "llm_rate_limited",
            soon,
        );
        check("spark", 200, r#"{"code":11200,"message":"AppIdNoAuthError:(no auth)","sid":"cha1"}"#, "llm_quota_exhausted", no);
        check("spark", 500, r#"{"error":{"message":"busy","type":"api_error","code":"10007"}}"#, "llm_unavailable", soon);
        check("zhipu", 429, r#"{"error":{"code":"1113","message":"您的账户已欠费，请充值后重试。"}}"#, "llm_quota_exhausted", no);
        check("zhipu", 429, r#"{"error":{"code":"1302","message":"您当前使用该API的并发数过高"}}"#, "llm_rate_limited", soon);
        check(
            "siliconflow",
            503,
            r#"{"code":50505,"message":"Model service overloaded. Please try again later.","data":null}"#,
            "llm_unavailable",
            soon,
        );
        check(
            "deepseek",
            402,
            r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}"#,
            "llm_quota_exhausted",
            no,
        );
        check(
            "moonshot",
            429,
            r#"{"error":{"message":"quota","type":"exceeded_current_quota_error"}}"#,
            "llm_quota_exhausted",
            no,
        );
        check(
            "ollama",
            404,
            r#"{"error":{"message":"model \"x\" not found, try pulling it first","type":"api_error","param":null,"code":null}}"#,
            "llm_unavailable",
            no,
        );
        check(
            "vllm",
            400,
            r#"{"object":"error","message":"This model's maximum context length is 4096 tokens","type":"BadRequestError","param":null,"code":400}"#,
            "llm_unavailable",
            no,
        );
        check("openai", 502, "<html><body><h1>502 Bad Gateway</h1></body></html>", "llm_unavailable", soon);
        check("openai", 302, "", "llm_unavailable", no);
    }

    #[test]
    fn an_answer_is_no_error() {
        for body in [
            r#"{"choices":[{"delta":{"content":"x"}}]}"#,
            r#"{"code":0,"message":"Success","sid":"cha1","choices":[]}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":1}}"#,
            r#"{"error":null,"choices":[]}"#,
        ] {
            assert_eq!(Told::read(&serde_json::from_str(body).unwrap()), None, "{body}");
        }
    }
}
