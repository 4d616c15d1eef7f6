// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The protocol's published signatures must be accepted, and all that is nearly one refused.
#include "protocol/auth.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "crypto/digest.h"

using namespace spillway;
using namespace spillway::protocol;

namespace {

constexpr std::string_view kKey = "278d425bdf160c739803";
constexpr AppSecrets kSecrets{.current = "7ad3773142a6692b25b8", .previous = {}};
constexpr std::string_view kSocket = "1234.1234";
constexpr std::string_view kPrivateSignature = "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4";

std::string auth(std::string_view signature, std::string_view key = kKey) {
    return std::string(key) + ":" + std::string(signature);
}

std::string upper_case(std::string text) {
    std::ranges::for_each(text, [](char& c) { c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    return text;
}

AuthResult private_foobar(std::string_view auth_string) {
    return verify_channel_auth(kKey, kSecrets, kSocket, "private-foobar", std::nullopt, auth_string);
}

/// A signed request, to be spoilt in one place before or after it is signed.
struct Request {
    static constexpr std::int64_t kNow = 1353088179;
    static constexpr std::string_view kAppSecrets = "7ad3773142a6692b25b8";

    std::string method = "POST";
    std::string path = "/apps/3/events";
    std::string body = R"({"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"})";
    std::vector<QueryParam> query = {{"auth_key", "278d425bdf160c739803"},
                                     {"auth_timestamp", "1353088179"},
                                     {"auth_version", "1.0"},
                                     {"body_md5", "ec365a775a4cd0599faeb73354201b6f"}};
    std::int64_t now = kNow;

    std::string& operator[](std::string_view name) {
        const auto found = std::ranges::find(query, name, &QueryParam::first);
        if (found != query.end()) return found->second;
        return query.emplace_back(name, "").second;
    }
    void drop(std::string_view name) {
        std::erase_if(query, [name](const QueryParam& param) { return param.first == name; });
    }
    /// Signs what is there, as a client would.
    Request& sign(std::string_view secret = kAppSecrets) {
        drop("auth_signature");
        std::multimap<std::string, std::string> sorted(query.begin(), query.end());
        std::string text = method + "\n" + path + "\n";
        for (const auto& [name, value] : sorted) text += name + "=" + value + "&";
        text.pop_back();
        (*this)["auth_signature"] = crypto::hmac_sha256_hex(secret, text);
        return *this;
    }
    std::expected<void, std::string> verify(AppSecrets secrets = kSecrets) const {
        return verify_api_request({method, path, query, body}, kKey, secrets, now);
    }
    bool is_accepted() const { return verify().has_value(); }
    /// The parameter that is at fault: the reason's first word, or the one after "parameter".
    std::string fault() const {
        const auto result = verify();
        REQUIRE_FALSE(result);
        std::string reason = result.error();
        if (reason.starts_with("parameter ")) reason = "twice " + reason;
        return reason.substr(0, reason.find(' '));
    }
};

}  // namespace

TEST_CASE("the documented signatures of subscriptions and sign-ins are accepted") {
    CHECK(private_foobar(auth(kPrivateSignature)) == AuthResult::ok);
    CHECK(verify_channel_auth(
              kKey, kSecrets, kSocket, "presence-foobar", R"({"user_id":10,"user_info":{"name":"Mr. Channels"}})",
              auth("31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80")) == AuthResult::ok);
    CHECK(verify_signin(kKey, kSecrets, kSocket, R"({"id":"12345"})",
                        auth("4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba")) == AuthResult::ok);
}

TEST_CASE("a feed's signature is bound to its channel and to being a feed's") {
    const std::string right = auth(crypto::hmac_sha256_hex(kSecrets.current, "feed:private-foobar"));
    CHECK(verify_feed_auth(kKey, kSecrets, "private-foobar", right) == AuthResult::ok);
    CHECK(verify_feed_auth(kKey, kSecrets, "private-other", right) == AuthResult::bad_signature);
    CHECK(verify_feed_auth(kKey, kSecrets, "private-foobar", auth(kPrivateSignature)) == AuthResult::bad_signature);
    CHECK(verify_feed_auth(kKey, kSecrets, "private-foobar", "") == AuthResult::missing);
}

TEST_CASE("each way of being wrong has its name") {
    const std::string right = auth(kPrivateSignature);
    CHECK(private_foobar("") == AuthResult::missing);
    for (const std::string& text : {std::string(kPrivateSignature), std::string(":"), std::string(kKey) + ":",
                                    std::string("7"), ":" + std::string(kPrivateSignature), std::string(5000, 'x')}) {
        CAPTURE(text);
        CHECK(private_foobar(text) == AuthResult::malformed);
    }
    for (const std::string& text :
         {auth(kPrivateSignature, "other"), " " + right, right.substr(1), upper_case(std::string(kKey)) + ":0",
          auth(kPrivateSignature, std::string(kKey) + ":"), std::string(kKey) + "::" + "x"}) {
        CAPTURE(text);
        CHECK(private_foobar(text) == AuthResult::wrong_key);
    }
    for (const std::string& text :
         {right.substr(0, right.size() - 1), right + "0", right + " ", right + "\n",
          auth(upper_case(std::string(kPrivateSignature))), auth("0"), auth(std::string(64, '0')),
          auth(std::string(64, 'g')), right + std::string(1, '\0')}) {
        CAPTURE(text);
        CHECK(private_foobar(text) == AuthResult::bad_signature);
    }
}

TEST_CASE("a signature holds for its socket, channel and data only") {
    const auto signed_for = [](std::string_view socket, std::string_view channel,
                               std::optional<std::string_view> data) {
        return verify_channel_auth(kKey, kSecrets, socket, channel, data, auth(kPrivateSignature));
    };
    CHECK(signed_for(kSocket, "private-foobar", std::nullopt) == AuthResult::ok);
    CHECK(signed_for("1234.1235", "private-foobar", std::nullopt) == AuthResult::bad_signature);
    CHECK(signed_for(kSocket, "private-foobaz", std::nullopt) == AuthResult::bad_signature);
    CHECK(signed_for(kSocket, "presence-foobar", std::nullopt) == AuthResult::bad_signature);
    CHECK(signed_for(kSocket, "private-foobar", "") == AuthResult::bad_signature);
    CHECK(signed_for(kSocket, "private-foobar", "{}") == AuthResult::bad_signature);
    CHECK(signed_for(kSocket, "private", "foobar") == AuthResult::bad_signature);
    CHECK(verify_signin(kKey, kSecrets, kSocket, "private-foobar", auth(kPrivateSignature)) ==
          AuthResult::bad_signature);
}

TEST_CASE("a channel's signature is no sign-in, though a channel's data could imitate one") {
    // "S::user::D" can be read as an empty channel with the data "user::D"; an empty channel is no valid name.
    const std::string data = R"({"id":"1"})";
    const std::string signin = auth(crypto::hmac_sha256_hex(kSecrets.current, {kSocket, "::user::", data}));
    CHECK(verify_signin(kKey, kSecrets, kSocket, data, signin) == AuthResult::ok);
    CHECK(verify_channel_auth(kKey, kSecrets, kSocket, "private-user", data, signin) == AuthResult::bad_signature);
}

TEST_CASE("while a secret is rotated both are accepted, afterwards one") {
    const AppSecrets rotating{.current = "new", .previous = kSecrets.current};
    const AppSecrets rotated{.current = "new", .previous = {}};
    const auto verify_with = [](AppSecrets secrets, std::string_view signature) {
        return verify_channel_auth(kKey, secrets, kSocket, "private-foobar", std::nullopt, auth(signature));
    };
    const std::string fresh = crypto::hmac_sha256_hex("new", "1234.1234:private-foobar");
    CHECK(verify_with(rotating, fresh) == AuthResult::ok);
    CHECK(verify_with(rotating, kPrivateSignature) == AuthResult::ok);
    CHECK(verify_with(rotated, fresh) == AuthResult::ok);
    CHECK(verify_with(rotated, kPrivateSignature) == AuthResult::bad_signature);
}

TEST_CASE("an empty secret signs nothing") {
    const std::string empty_signature = auth(crypto::hmac_sha256_hex("", "1234.1234:private-foobar"));
    CHECK(verify_channel_auth(kKey, {}, kSocket, "private-foobar", std::nullopt, empty_signature) ==
          AuthResult::bad_signature);
    CHECK(private_foobar(empty_signature) == AuthResult::bad_signature);
}

TEST_CASE("refusals say what clients and their users know") {
    CHECK(auth_failure_text(AuthResult::missing, kSocket, "private-x", "") ==
          "Auth info required to subscribe to private-x");
    CHECK(auth_failure_text(AuthResult::wrong_key, kSocket, "private-x", "K:sig") ==
          "Invalid key in subscription auth data: 'K'");
    CHECK(auth_failure_text(AuthResult::malformed, kSocket, "private-x", "junk") ==
          "Invalid key in subscription auth data: 'junk'");
    CHECK(auth_failure_text(AuthResult::bad_signature, kSocket, "private-x", "K:sig") ==
          "Invalid signature: Expected HMAC SHA256 hex digest of 1234.1234:private-x, but got sig");
    std::string long_key;
    for (int i = 0; i < 2000; ++i) long_key += "é";
    const std::string text = auth_failure_text(AuthResult::malformed, kSocket, "private-x", "x" + long_key);
    CHECK(text.size() < 400);
    CHECK(text.ends_with("é'"));  // cut between characters
}

TEST_CASE("the documented API request is accepted") {
    Request request;
    request["auth_signature"] = "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c";
    CHECK(request.is_accepted());
    CHECK(Request().sign().query.back().second == "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c");
}

TEST_CASE("a timestamp is good for 600 seconds in either direction") {
    for (const auto& [skew, accepted] : std::map<std::int64_t, bool>{
             {-601, false}, {-600, true}, {-599, true}, {0, true}, {599, true}, {600, true}, {601, false}}) {
        Request request;
        request["auth_timestamp"] = std::to_string(Request::kNow + skew);
        CAPTURE(skew);
        CHECK(request.sign().is_accepted() == accepted);
    }
}

TEST_CASE("a timestamp is plain digits") {
    for (const char* timestamp :
         {"", "-1353088179", "+1353088179", " 1353088179", "1353088179 ", "1353088179.0", "1353088179s", "0x50a67e73",
          "99999999999999999999", "9223372036854775807", "9223372036854775808", "18446744073709551615", "1353088179000",
          "0", "now", "١٣٥٣٠٨٨١٧٩"}) {
        Request request;
        request["auth_timestamp"] = timestamp;
        CAPTURE(timestamp);
        CHECK(request.sign().fault() == "auth_timestamp");
    }
    Request padded;  // leading zeros are the same number
    padded["auth_timestamp"] = "0001353088179";
    CHECK(padded.sign().is_accepted());
}

TEST_CASE("each parameter is required") {
    for (const char* name : {"auth_key", "auth_timestamp", "auth_version", "body_md5"}) {
        Request request;
        request.drop(name);
        CHECK(request.sign().fault() == name);
    }
    Request unsigned_request;
    CHECK(unsigned_request.fault() == "auth_signature");
    Request nothing;
    nothing.query.clear();
    CHECK(nothing.fault() == "auth_key");
}

TEST_CASE("each parameter's wrong values are refused by its name") {
    const std::vector<std::pair<std::string, std::string>> wrong = {{"auth_key", ""},
                                                                    {"auth_key", "other"},
                                                                    {"auth_key", "278d425bdf160c739803 "},
                                                                    {"auth_key", "278D425BDF160C739803"},
                                                                    {"auth_version", ""},
                                                                    {"auth_version", "1"},
                                                                    {"auth_version", "1.1"},
                                                                    {"auth_version", "2.0"},
                                                                    {"auth_version", "1.0 "},
                                                                    {"body_md5", ""},
                                                                    {"body_md5", "d41d8cd98f00b204e9800998ecf8427e"},
                                                                    {"body_md5", "EC365A775A4CD0599FAEB73354201B6F"},
                                                                    {"body_md5", "ec365a775a4cd0599faeb73354201b6"},
                                                                    {"body_md5", "ec365a775a4cd0599faeb73354201b6f0"}};
    for (const auto& [name, value] : wrong) {
        Request request;
        request[name] = value;
        CAPTURE(name, value);
        CHECK(request.sign().fault() == name);
    }
}

TEST_CASE("a signature that is not exactly right is refused") {
    const std::string right = Request().sign().query.back().second;
    for (const std::string& signature :
         {std::string(), upper_case(right), right.substr(1), right.substr(0, 63), right + "0",
          (right[0] == '0' ? "1" : "0") + right.substr(1), std::string(64, '0'), "0x" + right}) {
        Request request = Request().sign();
        request["auth_signature"] = signature;
        CAPTURE(signature);
        CHECK(request.fault() == "auth_signature");
    }
    CHECK(Request().sign("another secret").fault() == "auth_signature");
    CHECK(Request().sign("another secret").verify({.current = "another secret", .previous = {}}).has_value());
    CHECK(Request().sign().verify({.current = "new", .previous = kSecrets.current}).has_value());
}

TEST_CASE("the signature covers method, path, every parameter and the body") {
    const Request right = Request().sign();
    const auto spoilt = [&right](auto&& spoil) {
        Request request = right;
        spoil(request);
        return request.fault();
    };
    CHECK(spoilt([](Request& r) { r.method = "GET"; }) == "auth_signature");
    CHECK(spoilt([](Request& r) { r.path = "/apps/3/batch_events"; }) == "auth_signature");
    CHECK(spoilt([](Request& r) { r.path = "/apps%2F3/events"; }) == "auth_signature");
    CHECK(spoilt([](Request& r) { r["auth_timestamp"] = "1353088180"; }) == "auth_signature");
    CHECK(spoilt([](Request& r) { r["info"] = "user_count"; }) == "auth_signature");
    CHECK(spoilt([](Request& r) { r["body_md5"] = "d41d8cd98f00b204e9800998ecf8427e"; }) == "auth_signature");
    CHECK(spoilt([](Request& r) { r.body += ' '; }) == "body_md5");
    CHECK(spoilt([](Request& r) { r.body.clear(); }) == "body_md5");
}

TEST_CASE("a path is signed as it was written") {
    Request request;
    request.method = "GET";
    request.body.clear();
    request.drop("body_md5");
    request.path = "/apps/3/channels/presence%2Dx%2F";
    CHECK(request.sign().is_accepted());
}

TEST_CASE("without a body there need be no body_md5, but a given one must be right") {
    Request request;
    request.method = "GET";
    request.body.clear();
    request.drop("body_md5");
    CHECK(request.sign().is_accepted());
    request["body_md5"] = "d41d8cd98f00b204e9800998ecf8427e";
    CHECK(request.sign().is_accepted());
    request["body_md5"] = "ec365a775a4cd0599faeb73354201b6f";
    CHECK(request.sign().fault() == "body_md5");
    request["body_md5"] = "";
    CHECK(request.sign().fault() == "body_md5");
}

TEST_CASE("a parameter given twice is refused, in whatever case") {
    const std::vector<QueryParam> extras = {{"auth_key", "278d425bdf160c739803"},
                                            {"AUTH_KEY", "x"},
                                            {"auth_timestamp", "1353088179"},
                                            {"Auth_Signature", "x"},
                                            {"body_md5", "x"},
                                            {"auth_key[]", "x"}};
    for (const QueryParam& extra : extras) {
        Request request = Request().sign();
        request.query.push_back(extra);
        CAPTURE(extra.first);
        CHECK(request.fault() == "twice");
    }
    Request other;
    other.query.emplace_back("x", "1");
    other.query.emplace_back("x", "1");
    CHECK(other.sign().fault() == "twice");
}

TEST_CASE("names are signed in lower case and sorted, values as they are after decoding") {
    Request request;
    request.query.emplace_back("zebra", "1");
    request.query.emplace_back("alpha", "t w&o=\xc3\xa9");
    request.sign();
    std::ranges::reverse(request.query);
    for (QueryParam& param : request.query) param.first = upper_case(param.first);
    CHECK(request.is_accepted());
}

TEST_CASE("arrays are accepted as the libraries sign them") {
    const auto accepts = [](std::vector<QueryParam> sent, const std::string& signed_as) {
        Request request;
        request.method = "GET";
        request.body.clear();
        request.drop("body_md5");
        const std::string text =
            "GET\n/apps/3/events\nauth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0&" +
            signed_as;
        request.query.insert(request.query.begin(), sent.begin(), sent.end());
        request["auth_signature"] = crypto::hmac_sha256_hex(Request::kAppSecrets, text);
        return request.is_accepted();
    };
    const std::vector<QueryParam> list = {{"channels[]", "b"}, {"channels[]", "a"}};
    CHECK(accepts(list, "channels=b,a"));
    CHECK(accepts(list, "channels[]=b,a"));
    CHECK(accepts(list, "channels[]=b&channels[]=a"));
    CHECK_FALSE(accepts(list, "channels=a,b"));
    CHECK(accepts({{"info[0]", "user_count"}, {"info[1]", "cache"}}, "info=user_count,cache"));
    CHECK(accepts({{"info[]", "cache"}}, "info=cache"));
}

TEST_CASE("the refusal of a signature shows what should have been signed, and no secret") {
    Request request = Request().sign("wrong");
    const std::string reason = request.verify().error();
    CHECK(reason.find("POST\\n/apps/3/events\\nauth_key=") != std::string::npos);
    CHECK(reason.find(kSecrets.current) == std::string::npos);
    CHECK(reason.find('\n') == std::string::npos);
    request.query.emplace_back("x", std::string(100'000, 'x'));
    CHECK(request.verify().error().size() < 600);
}
