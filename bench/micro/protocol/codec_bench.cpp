// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What one published event and one client message cost before they become frames: encoding (once per event and
// channel), decoding (once per message), signatures (once per subscription or API call).
#include <cstdint>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "crypto/digest.h"
#include "protocol/api.h"
#include "protocol/auth.h"
#include "protocol/codec.h"
#include "protocol/json_escape.h"

using namespace spillway;
using namespace spillway::protocol;

namespace {

constexpr std::string_view kKey = "278d425bdf160c739803";
constexpr AppSecrets kSecrets{.current = "7ad3773142a6692b25b8", .previous = {}};
constexpr std::string_view kSocket = "12345678901234567890.72057598332895235";

/// A tick as a backend would publish it: JSON with a quote every few bytes, filled up to `bytes`.
std::string json_of(std::size_t bytes) {
    std::string json = "{";
    for (int i = 0; json.size() + 22 < bytes; ++i) json += "\"field" + std::to_string(i % 10) + "\":\"12.5\",";
    json += "\"x\":\"";
    json.append(bytes - json.size() - 2, 'x');
    return json + "\"}";
}

void set_bytes(benchmark::State& state, std::size_t bytes) {
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(bytes));
}

void escape_plain(benchmark::State& state) {
    const std::string text(static_cast<std::size_t>(state.range(0)), 'x');
    std::string out;
    for (auto _ : state) {
        out.clear();
        append_json_string(out, text);
        benchmark::DoNotOptimize(out.data());
    }
    set_bytes(state, text.size());
}
BENCHMARK(escape_plain)->Arg(16)->Arg(128)->Arg(10'240);

void escape_json(benchmark::State& state) {
    const std::string text = json_of(static_cast<std::size_t>(state.range(0)));
    std::string out;
    for (auto _ : state) {
        out.clear();
        append_json_string(out, text);
        benchmark::DoNotOptimize(out.data());
    }
    set_bytes(state, text.size());
}
BENCHMARK(escape_json)->Arg(128)->Arg(10'240);

void encode_event(benchmark::State& state) {
    const std::string data = json_of(static_cast<std::size_t>(state.range(0)));
    std::string out;
    for (auto _ : state) {
        out.clear();
        encode_channel_event(out, "price-update", "market-EURUSD", data);
        benchmark::DoNotOptimize(out.data());
    }
    set_bytes(state, data.size());
}
BENCHMARK(encode_event)->Arg(128)->Arg(10'240);

void decode_message(benchmark::State& state, std::string_view text) {
    Scratch scratch;
    for (auto _ : state) {
        auto message = decode(text, scratch);
        benchmark::DoNotOptimize(message);
    }
    set_bytes(state, text.size());
}
BENCHMARK_CAPTURE(decode_message, subscribe,
                  R"({"event":"pusher:subscribe","data":{"auth":"","channel":"market-EURUSD"}})");
BENCHMARK_CAPTURE(decode_message, ping, R"({"event":"pusher:ping","data":{}})");
BENCHMARK_CAPTURE(
    decode_message, client_event,
    R"({"event":"client-typing","channel":"private-room-7","data":{"user":"ann","at":1700000000,"text":"hello"}})");

void decode_publish(benchmark::State& state) {
    std::string body = R"({"name":"price-update","channels":["market-EURUSD"],"data":)";
    append_json_string(body, json_of(static_cast<std::size_t>(state.range(0))));
    body += '}';
    ApiScratch scratch;
    for (auto _ : state) {
        auto event = decode_event(body, {}, scratch);
        benchmark::DoNotOptimize(event);
    }
    set_bytes(state, body.size());
}
BENCHMARK(decode_publish)->Arg(128)->Arg(10'000);

void verify_subscription(benchmark::State& state) {
    const std::string auth =
        std::string(kKey) + ":" + crypto::hmac_sha256_hex(kSecrets.current, {kSocket, ":", "private-room-7"});
    for (auto _ : state) {
        auto result = verify_channel_auth(kKey, kSecrets, kSocket, "private-room-7", std::nullopt, auth);
        benchmark::DoNotOptimize(result);
    }
}
BENCHMARK(verify_subscription);

void verify_publish(benchmark::State& state) {
    const std::string body = json_of(static_cast<std::size_t>(state.range(0)));
    std::vector<QueryParam> query = {{"auth_key", std::string(kKey)},
                                     {"auth_timestamp", "1700000000"},
                                     {"auth_version", "1.0"},
                                     {"body_md5", crypto::md5_hex(body)}};
    std::string text = "POST\n/apps/3/events\n";
    for (const auto& [name, value] : query) text.append(name).append("=").append(value).append("&");
    text.pop_back();
    query.emplace_back("auth_signature", crypto::hmac_sha256_hex(kSecrets.current, text));
    for (auto _ : state) {
        auto result = verify_api_request({"POST", "/apps/3/events", query, body}, kKey, kSecrets, 1'700'000'000);
        if (!result) state.SkipWithError("the request was refused");
        benchmark::DoNotOptimize(result);
    }
    set_bytes(state, body.size());
}
BENCHMARK(verify_publish)->Arg(128)->Arg(10'240);

}  // namespace

BENCHMARK_MAIN();
