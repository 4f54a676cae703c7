//! Running the settings page and the management API behind a reverse proxy.
//!
//! This page is for operators. It lists what a proxy changes, what then fails, and which setting fixes it. Each nginx line
//! on this page runs in a test, in front of the real service and with a real browser.
//!
//! # The short version
//!
//! Tell `counterfoil-axum` the URL that browsers and clients use, for the page and for the API:
//!
//! ```text
//! SettingsPage::new(registry).public_url("https://tools.example.com/acme")
//! Management::new(registry).public_url("https://tools.example.com/acme")
//! ```
//!
//! Then these lines are enough:
//!
//! ```text
//! location /acme/ {
//!     proxy_pass http://127.0.0.1:3000/;
//! }
//! ```
//!
//! # The host
//!
//! A form or an API call that changes something must come from your own pages. Browsers say where a request comes from: in
//! `Sec-Fetch-Site` over HTTPS, and in `Origin`. Over plain HTTP there is no `Sec-Fetch-Site`, and `Origin` is compared with
//! `Host`. A proxy that changes `Host` makes them differ, and your own form is refused with 403, "The request came from
//! another site".
//!
//! | nginx line | `Host` that the service sees | what to do |
//! |---|---|---|
//! | none | the name in `proxy_pass` | `public_url` with the origin, or `trusted_origin` |
//! | `proxy_set_header Host $host;` | without the port | the same, unless the port is the default one |
//! | `proxy_set_header Host $http_host;` | as the browser sent it | nothing |
//!
//! `trusted_origin` takes the origin as the address bar shows it, such as `https://tools.example.com:8443`. Call it once for
//! each origin, if people reach the service under several names. Do not set a `Referrer-Policy` of `no-referrer` in the
//! proxy: browsers then send `Origin: null` with forms.
//!
//! The door for tokens does not look at `Host` or `Origin`: programs are not affected.
//!
//! # A path prefix
//!
//! With `location /acme/ { proxy_pass http://127.0.0.1:3000/; }` the service sees `/settings/tokens` where the browser asked
//! for `/acme/settings/tokens`. Without the prefix, links, forms, redirects and the style lead to 404. There are two ways
//! to say it:
//!
//! - `public_url("/acme")`, or a whole URL, if the prefix is always the same;
//! - `trust_forwarded_prefix()` if each proxy sends its own. The proxy must then set the header in every request, because a
//!   client could send it otherwise:
//!
//! ```text
//! location /acme/tools/ {
//!     proxy_pass http://127.0.0.1:3000/;
//!     proxy_set_header Host $http_host;
//!     proxy_set_header X-Forwarded-Prefix /acme/tools;
//! }
//! ```
//!
//! The page adds the prefix to its own links, and to the paths that your application gives it (`home`, `sign_in`, links of
//! refusals). Do not rewrite redirects in the proxy as well (`proxy_redirect`): they would have the prefix twice. If the
//! proxy does not remove the prefix, mount the routers below it and set nothing.
//!
//! # Compression and `ETag`
//!
//! The management API sends the version of a token as `ETag: "3"`. With `gzip on` and `gzip_types application/json`, nginx
//! changes it to `W/"3"`. A weak tag never matches in `If-Match` (RFC 9110, section 13.1.1), so a client that sends back
//! what it got is answered with 412 each time. Either
//!
//! - let the client build the header from the body: the member `version` is the same number, so `If-Match: "3"`; this also
//!   works with a token from a list, which has no `ETag` of its own; or
//! - turn `gzip` off for the paths of the API.
//!
//! # Caches
//!
//! Pages and API replies are `Cache-Control: no-store`. The style and the script may be kept for ever, because their
//! addresses change with their content. Responses of the door are described with the layer, in `counterfoil-tower`.
//!
//! # Client addresses
//!
//! A proxy also hides the address of the client, which last use and tokens bound to networks need. Set it with
//! `ClientAddress` of `counterfoil-tower`.
