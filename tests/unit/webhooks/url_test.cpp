// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "webhooks/url.h"

#include <catch2/catch_test_macros.hpp>

namespace spillway::webhooks {
namespace {

TEST_CASE("URLs of webhooks are http or https with a host", "[webhooks]") {
    for (const char* url :
         {"http://example.com", "https://example.com/hook?token=1#x", "HTTPS://Example.com:8443/a%20b",
          "http://[2001:db8::1]:8080/", "http://user:pass@example.com/", "http://10.0.0.1:1"}) {
        INFO(url);
        CHECK(check_url(url).has_value());
    }
    for (const char* url :
         {"", "example.com", "//example.com", "ftp://example.com", "file:///etc/passwd", "http:/example.com", "http://",
          "http:///path", "http://user@/", "http://example.com:0/", "http://example.com:65536/", "http://example.com:/",
          "http://example.com:80a/", "http://exa mple.com/", "http://example.com/\r\nX: y",
          "http://ex\xC3\xA4mple.com/", "http://good.com\\@evil.com/", "http://[]/"}) {
        INFO(url);
        CHECK_FALSE(check_url(url).has_value());
    }
    CHECK_FALSE(check_url("http://example.com/" + std::string(2100, 'a')).has_value());
}

TEST_CASE("the log shows no secret of a URL", "[webhooks]") {
    CHECK(shown_url("https://user:pass@example.com:8443/hooks/in?token=secret#frag") ==
          "https://example.com:8443/hooks/in");
    CHECK(shown_url("http://example.com?token=secret") == "http://example.com");
    CHECK(shown_url("http://a@b@example.com/x@y") == "http://example.com/x@y");
    CHECK(shown_url("http://example.com/a\nb") == "http://example.com/a\\x0ab");
    CHECK(shown_url("nonsense") == "(no URL)");
}

}  // namespace
}  // namespace spillway::webhooks
