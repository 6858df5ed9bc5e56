//! The web page and its two files, from `web/`, compiled in.

use actix_web::{
    HttpResponse, get,
    http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
};

/// The page loads its own two files, talks to its own server, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// The web page
#[utoipa::path(tag = "page", responses((status = 200, description = "The page", content_type = "text/html")))]
#[get("/")]
pub async fn show_page() -> HttpResponse {
    file("text/html; charset=utf-8", include_str!("../../web/index.html"))
}

/// The page's script
#[utoipa::path(tag = "page", responses((status = 200, description = "The script", content_type = "text/javascript")))]
#[get("/app.js")]
pub async fn script() -> HttpResponse {
    file("text/javascript; charset=utf-8", include_str!("../../web/app.js"))
}

/// The page's style
#[utoipa::path(tag = "page", responses((status = 200, description = "The style sheet", content_type = "text/css")))]
#[get("/style.css")]
pub async fn style() -> HttpResponse {
    file("text/css; charset=utf-8", include_str!("../../web/style.css"))
}

fn file(media_type: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, media_type))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        // A newer program has newer files under the same names.
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(text)
}
