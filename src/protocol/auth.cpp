// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "protocol/auth.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <initializer_list>
#include <tuple>
#include <vector>

#include "base/format.h"
#include "crypto/digest.h"
#include "protocol/errors.h"

namespace spillway::protocol {
namespace {

using Pieces = std::initializer_list<std::string_view>;

constexpr std::string_view kSignatureName = "auth_signature";

/// Of the text that should have been signed, enough to see where one's own differs.
constexpr std::size_t kSignedTextQuotedMax = 400;

/// An app without a secret has nobody it could trust.
bool is_signed(AppSecrets secrets, Pieces pieces, std::string_view signature) {
    const auto with = [&](std::string_view secret) {
        return !secret.empty() && crypto::hmac_sha256_matches(secret, pieces, signature);
    };
    return with(secrets.current) || with(secrets.previous);
}

AuthResult verify(std::string_view key, AppSecrets secrets, Pieces pieces, std::string_view auth) {
    if (auth.empty()) return AuthResult::missing;
    const std::size_t colon = auth.rfind(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == auth.size()) return AuthResult::malformed;
    if (!crypto::equal_constant_time(auth.substr(0, colon), key)) return AuthResult::wrong_key;
    return is_signed(secrets, pieces, auth.substr(colon + 1)) ? AuthResult::ok : AuthResult::bad_signature;
}

struct Parameter {
    std::string name;  // lower case
    std::string_view value;
    std::size_t order;  // as given: the values of an array keep it

    friend bool operator<(const Parameter& a, const Parameter& b) {
        return std::tie(a.name, a.order) < std::tie(b.name, b.order);
    }
};
/// Sorted.
using Parameters = std::vector<Parameter>;

bool is_array(std::string_view name) { return name.ends_with(']') && name.find('[') != std::string_view::npos; }

std::string_view base_name(std::string_view name) { return is_array(name) ? name.substr(0, name.find('[')) : name; }

std::string lower_case(std::string_view text) {
    std::string lower(text);
    std::ranges::for_each(lower, [](char& c) { c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
    return lower;
}

/// How the text that is signed has an array of several values. Libraries differ, and some leave the brackets away as
/// well.
enum class ArrayForm : std::uint8_t {
    repeated,  // name[]=a&name[]=b
    joined,    // name[]=a,b
};

Parameters with_bare_names(Parameters parameters) {
    for (Parameter& parameter : parameters) parameter.name.resize(base_name(parameter.name).size());
    std::ranges::sort(parameters, std::less<>());
    return parameters;
}

std::string string_to_sign(const ApiRequest& request, const Parameters& parameters, ArrayForm form) {
    std::string text;
    base::append(text, request.method, "\n", request.path, "\n");
    const Parameter* before = nullptr;
    for (const Parameter& parameter : parameters) {
        if (parameter.name == kSignatureName) continue;
        if (before != nullptr && form == ArrayForm::joined && before->name == parameter.name) {
            base::append(text, ",", parameter.value);
        } else {
            base::append(text, before != nullptr ? "&" : "", parameter.name, "=", parameter.value);
        }
        before = &parameter;
    }
    return text;
}

/// Nothing, or the sentence.
using Fault = std::optional<std::string>;

/// A parameter given twice means one thing to whoever signed and may mean another to whoever reads; arrays are meant
/// so.
Fault check_given_once(const Parameters& parameters) {
    const auto clash = [](const Parameter& a, const Parameter& b) {
        return a.name == b.name && !a.name.ends_with("[]");
    };
    const auto twice = std::ranges::adjacent_find(parameters, clash);
    if (twice == parameters.end()) return std::nullopt;
    return std::string("parameter ").append(quoted(twice->name)).append(" is given twice");
}

/// Neither may one be both a value and an array, for the same reason.
Fault check_value_or_array(const Parameters& parameters) {
    for (const Parameter& parameter : parameters) {
        if (!is_array(parameter.name)) continue;
        const std::string_view name = base_name(parameter.name);
        const auto at = std::ranges::lower_bound(parameters, name, {}, &Parameter::name);
        if (at == parameters.end() || at->name != name) continue;
        return std::string("parameter ").append(quoted(name)).append(" is given twice");
    }
    return std::nullopt;
}

const std::string_view* find(const Parameters& parameters, std::string_view name) {
    const auto found = std::ranges::find(parameters, name, &Parameter::name);
    return found == parameters.end() ? nullptr : &found->value;
}

Fault check_key(const Parameters& parameters, std::string_view key) {
    const std::string_view* const given = find(parameters, "auth_key");
    if (given == nullptr || given->empty()) return "auth_key is missing";
    if (!crypto::equal_constant_time(*given, key)) return "auth_key is not a key of this app";
    return std::nullopt;
}

Fault check_timestamp(const Parameters& parameters, std::int64_t now_unix_seconds) {
    const std::string_view* const given = find(parameters, "auth_timestamp");
    if (given == nullptr || given->empty()) return "auth_timestamp is missing";
    if (!std::ranges::all_of(*given, [](char c) { return c >= '0' && c <= '9'; }))
        return "auth_timestamp is not a number";
    std::int64_t seconds = 0;
    const auto [end, error] = std::from_chars(given->data(), given->data() + given->size(), seconds);
    const bool is_out_of_window = error != std::errc{} || now_unix_seconds < 0 ||
                                  seconds - now_unix_seconds > kAuthTimestampWindowSeconds ||
                                  now_unix_seconds - seconds > kAuthTimestampWindowSeconds;
    if (!is_out_of_window) return std::nullopt;
    std::string sentence;
    base::append(sentence, "auth_timestamp is more than ", kAuthTimestampWindowSeconds,
                 " seconds from the server's time, which is ", now_unix_seconds);
    return sentence;
}

Fault check_version(const Parameters& parameters) {
    const std::string_view* const given = find(parameters, "auth_version");
    if (given == nullptr) return "auth_version is missing";
    if (*given != "1.0") return "auth_version must be 1.0";
    return std::nullopt;
}

Fault check_signature(const ApiRequest& request, const Parameters& parameters, AppSecrets secrets) {
    const std::string_view* const given = find(parameters, kSignatureName);
    if (given == nullptr || given->empty()) return "auth_signature is missing";
    std::string text = string_to_sign(request, parameters, ArrayForm::repeated);
    if (is_signed(secrets, {text}, *given)) return std::nullopt;
    if (std::ranges::any_of(parameters, is_array, &Parameter::name)) {
        text = string_to_sign(request, parameters, ArrayForm::joined);
        if (is_signed(secrets, {text}, *given)) return std::nullopt;
        text = string_to_sign(request, with_bare_names(parameters), ArrayForm::joined);
        if (is_signed(secrets, {text}, *given)) return std::nullopt;
    }
    // The text that should have been signed contains nothing that its sender does not know, and saves him an hour.
    std::string sentence =
        "auth_signature is wrong: expected the lower-case hex of HMAC-SHA256 with the app's secret of ";
    for (const char c : quoted(text, kSignedTextQuotedMax)) c == '\n' ? sentence.append("\\n") : sentence.append(1, c);
    return sentence;
}

Fault check_body(const Parameters& parameters, std::string_view body) {
    const std::string_view* const given = find(parameters, "body_md5");
    if (given == nullptr && body.empty()) return std::nullopt;
    if (given == nullptr) return "body_md5 is missing";
    if (!crypto::equal_constant_time(*given, crypto::md5_hex(body))) {
        return "body_md5 is not the lower-case hex of the body's MD5";
    }
    return std::nullopt;
}

Fault check(const ApiRequest& request, std::string_view key, AppSecrets secrets, std::int64_t now_unix_seconds) {
    Parameters parameters;
    parameters.reserve(request.query.size());
    for (const auto& [name, value] : request.query) {
        parameters.push_back({lower_case(name), value, parameters.size()});
    }
    std::ranges::sort(parameters, std::less<>());

    if (Fault bad = check_given_once(parameters)) return bad;
    if (Fault bad = check_value_or_array(parameters)) return bad;
    if (Fault bad = check_key(parameters, key)) return bad;
    if (Fault bad = check_timestamp(parameters, now_unix_seconds)) return bad;
    if (Fault bad = check_version(parameters)) return bad;
    // Before the body: who cannot sign does not make us digest a megabyte.
    if (Fault bad = check_signature(request, parameters, secrets)) return bad;
    return check_body(parameters, request.body);
}

}  // namespace

AuthResult verify_channel_auth(std::string_view key, AppSecrets secrets, std::string_view socket_id,
                               std::string_view channel, std::optional<std::string_view> channel_data,
                               std::string_view auth) {
    if (channel_data) return verify(key, secrets, {socket_id, ":", channel, ":", *channel_data}, auth);
    return verify(key, secrets, {socket_id, ":", channel}, auth);
}

AuthResult verify_signin(std::string_view key, AppSecrets secrets, std::string_view socket_id,
                         std::string_view user_data, std::string_view auth) {
    return verify(key, secrets, {socket_id, "::user::", user_data}, auth);
}

AuthResult verify_feed_auth(std::string_view key, AppSecrets secrets, std::string_view channel, std::string_view auth) {
    return verify(key, secrets, {"feed:", channel}, auth);
}

std::string_view auth_key_part(std::string_view auth) { return auth.substr(0, auth.rfind(':')); }

std::string auth_failure_text(AuthResult result, std::string_view socket_id, std::string_view channel,
                              std::string_view auth) {
    switch (result) {
        case AuthResult::ok:
        case AuthResult::bad_signature: break;
        case AuthResult::missing: return auth_required_text(channel);
        case AuthResult::malformed:
        case AuthResult::wrong_key: return invalid_key_text(auth_key_part(auth));
    }
    std::string sentence;
    base::append(sentence, "Invalid signature: Expected HMAC SHA256 hex digest of ", socket_id, ":", quoted(channel),
                 ", but got ", quoted(auth.substr(auth.rfind(':') + 1)));
    return sentence;
}

std::expected<void, std::string> verify_api_request(const ApiRequest& request, std::string_view key, AppSecrets secrets,
                                                    std::int64_t now_unix_seconds) {
    if (Fault bad = check(request, key, secrets, now_unix_seconds)) return std::unexpected(std::move(*bad));
    return {};
}

}  // namespace spillway::protocol
