//! The rules that the client keeps, one file per part, compiled for both faces as the scenarios are.
//!
//! The id of a rule stands in the name or in the doc comment of its tests.

mod anywhere;
mod s02_bodies;
mod s02_expect;
mod s02_forms;
mod s02_one_shot;
mod s02_requests;
mod s03_responses;
mod s04_interim;
mod s05_headers;
mod s06_helpers;
mod s07_auth;
mod s07_session;
mod s08_events;
mod s08_hooks;
mod s08_middleware;
mod s09_cookies;
mod s10_policies;
mod s10_redirects;
mod s11_timeouts;
mod s12_connection;
mod s12_handle;
mod s13_handle;
mod s13_pool;
mod s13_reuse;
mod s14_parsing;
mod s15_limits;
mod s16_tls;
mod s17_proxies;
mod s18_errors;
mod s19_facade;
mod s21_async;
mod s22_testing;
