// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Every way of being wrong, for each of the three things a client's signature can be for; and the five signatures that the
// protocol's documents print.
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "crypto/digest.h"
#include "protocol/auth.h"

using namespace spillway;
using namespace spillway::protocol;

namespace {

constexpr std::string_view kKey = "278d425bdf160c739803";
constexpr std::string_view kSecret = "7ad3773142a6692b25b8";
constexpr std::string_view kSocket = "1234.1234";
constexpr std::string_view kData = R"({"id":"7","user_id":"7"})";

enum class For : std::uint8_t { private_channel, presence_channel, sign_in };

/// What is signed, and with what; each may be spoilt.
struct Signed {
    std::string socket{kSocket};
    std::string channel;
    std::string data{kData};
    std::string key{kKey};
    std::string secret{kSecret};

    std::string text(For what) const {
        if (what == For::sign_in) return socket + "::user::" + data;
        return what == For::presence_channel ? socket + ":" + channel + ":" + data : socket + ":" + channel;
    }
    std::string auth(For what) const { return key + ":" + crypto::hmac_sha256_hex(secret, {text(what)}); }
};

AuthResult verify(For what, std::string_view auth) {
    const AppSecrets secrets{kSecret, {}};
    switch (what) {
        case For::private_channel: return verify_channel_auth(kKey, secrets, kSocket, "private-x", std::nullopt, auth);
        case For::presence_channel: return verify_channel_auth(kKey, secrets, kSocket, "presence-x", kData, auth);
        case For::sign_in: break;
    }
    return verify_signin(kKey, secrets, kSocket, kData, auth);
}

Signed right(For what) {
    Signed all;
    all.channel = what == For::presence_channel ? "presence-x" : "private-x";
    return all;
}

std::string spoilt(For what, const std::function<void(Signed&)>& spoil) {
    Signed all = right(what);
    spoil(all);
    return all.auth(what);
}

std::string upper_case_signature(std::string auth) {
    for (std::size_t i = kKey.size(); i < auth.size(); ++i)
        if (auth[i] >= 'a' && auth[i] <= 'f') auth[i] = static_cast<char>(auth[i] - 'a' + 'A');
    return auth;
}

using Wrong = std::function<std::string(For)>;

}  // namespace

TEST_CASE("no signature but the right one is accepted, for channels and for sign-ins") {
    const auto R = [](For what) { return right(what).auth(what); };
    using enum AuthResult;
    // what is wrong | how it is made | the verdict for private, presence, sign-in
    const std::vector<std::tuple<std::string, Wrong, std::array<AuthResult, 3>>> table = {
        {"nothing", [&](For w) { return R(w); }, {ok, ok, ok}},
        {"the key",
         [](For w) { return spoilt(w, [](Signed& s) { s.key = "other"; }); },
         {wrong_key, wrong_key, wrong_key}},
        {"the key's case",
         [&](For w) {
             std::string a = R(w);
             a[3] = 'D';
             return a;
         },
         {wrong_key, wrong_key, wrong_key}},
        {"the secret",
         [](For w) { return spoilt(w, [](Signed& s) { s.secret = "other"; }); },
         {bad_signature, bad_signature, bad_signature}},
        {"an empty secret",
         [](For w) { return spoilt(w, [](Signed& s) { s.secret.clear(); }); },
         {bad_signature, bad_signature, bad_signature}},
        {"the socket",
         [](For w) { return spoilt(w, [](Signed& s) { s.socket = "1234.1235"; }); },
         {bad_signature, bad_signature, bad_signature}},
        {"the channel",
         [](For w) { return spoilt(w, [](Signed& s) { s.channel += "y"; }); },
         {bad_signature, bad_signature, ok}},
        {"one byte of the data",
         [](For w) { return spoilt(w, [](Signed& s) { s.data[2] = 'j'; }); },
         {ok, bad_signature, bad_signature}},
        {"white space in the data",
         [](For w) { return spoilt(w, [](Signed& s) { s.data.insert(1, " "); }); },
         {ok, bad_signature, bad_signature}},
        {"upper-case hex",
         [&](For w) { return upper_case_signature(R(w)); },
         {bad_signature, bad_signature, bad_signature}},
        {"no colon",
         [&](For w) {
             std::string a = R(w);
             return a.erase(kKey.size(), 1);
         },
         {malformed, malformed, malformed}},
        {"no signature", [&](For) { return std::string(kKey) + ":"; }, {malformed, malformed, malformed}},
        {"no key", [&](For w) { return R(w).substr(kKey.size()); }, {malformed, malformed, malformed}},
        {"empty", [](For) { return std::string(); }, {missing, missing, missing}},
        {"cut by one",
         [&](For w) {
             std::string a = R(w);
             a.pop_back();
             return a;
         },
         {bad_signature, bad_signature, bad_signature}},
        {"one more", [&](For w) { return R(w) + "0"; }, {bad_signature, bad_signature, bad_signature}},
        {"a private channel's", [&](For) { return R(For::private_channel); }, {ok, bad_signature, bad_signature}},
        {"a presence channel's", [&](For) { return R(For::presence_channel); }, {bad_signature, ok, bad_signature}},
        {"a sign-in's", [&](For) { return R(For::sign_in); }, {bad_signature, bad_signature, ok}},
    };
    for (const auto& [what, make, verdicts] : table) {
        for (const For use : {For::private_channel, For::presence_channel, For::sign_in}) {
            CAPTURE(what, static_cast<int>(use));
            CHECK(verify(use, make(use)) == verdicts[static_cast<std::size_t>(use)]);
        }
    }
}

TEST_CASE("the five signatures of the protocol's documents, the presence one as it must be") {
    const AppSecrets secrets{kSecret, {}};
    const auto with = [](std::string_view signature) { return std::string(kKey) + ":" + std::string(signature); };
    const std::string_view presence = R"({"user_id":10,"user_info":{"name":"Mr. Channels"}})";
    const std::string_view body = R"({"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"})";
    CHECK(verify_channel_auth(kKey, secrets, kSocket, "private-foobar", std::nullopt,
                              with("58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4")) ==
          AuthResult::ok);
    CHECK(verify_channel_auth(kKey, secrets, kSocket, "presence-foobar", presence,
                              with("31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80")) ==
          AuthResult::ok);
    CHECK(verify_signin(kKey, secrets, kSocket, R"({"id":"12345"})",
                        with("4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba")) == AuthResult::ok);
    CHECK(crypto::md5_hex(body) == "ec365a775a4cd0599faeb73354201b6f");
    const std::vector<QueryParam> query = {
        {"auth_key", std::string(kKey)},
        {"auth_timestamp", "1353088179"},
        {"auth_version", "1.0"},
        {"body_md5", "ec365a775a4cd0599faeb73354201b6f"},
        {"auth_signature", "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"}};
    CHECK(verify_api_request({"POST", "/apps/3/events", query, body}, kKey, secrets, 1353088179));
}
