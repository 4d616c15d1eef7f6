// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// HTTP POSTs to anywhere, many at a time, from one thread that may block: resolving names, TLS and connections kept
// alive are libcurl's, which stays behind http_client.cpp. Never on a core.
//
// A name proves nothing about where it leads: an address is judged when it is about to be connected to, and again before
// a request goes out on a connection that was there already. Redirects are not followed, proxies of the environment not
// used, certificates verified, answers read up to a bound and thrown away.
//
// Thread: one, but wake().
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace spillway::io {

struct HttpPost {
    std::uint64_t id = 0;  // the caller's; of no other POST under way
    std::string url;
    std::vector<std::string> headers;  // "Name: value"
    std::string body;
    std::chrono::milliseconds timeout{};
    bool public_only = true;  // the address must pass the rule
};

struct HttpOutcome {
    enum class Kind : std::uint8_t {
        answered,  // `status` says how
        timeout,
        refused,  // by the rule of addresses
        failed,
    };
    std::uint64_t id = 0;
    Kind kind = Kind::failed;
    int status = 0;      // answered
    std::string reason;  // else, for people
};

class HttpClient {
public:
    /// May an address (4 or 16 bytes, network order) be connected to?
    using AddressRule = std::function<bool(std::span<const std::byte>)>;

    /// What came back of an answer is not kept; more bytes than this end the exchange, whose status counts all the same.
    static constexpr std::size_t kAnswerBytesMax = 64 * 1024;

    /// Once per process, before other threads run. The result is the client, or why there is none.
    [[nodiscard]] static base::Result<std::unique_ptr<HttpClient>> create(AddressRule rule, std::string user_agent);
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    void start(HttpPost post);
    /// Goes on with everything; waits up to `rest` for something to happen, or for wake().
    void wait(base::Duration rest);
    /// What has ended since the last asking.
    [[nodiscard]] std::vector<HttpOutcome> take();
    [[nodiscard]] std::size_t under_way() const { return exchanges_.size(); }

    /// Any thread.
    void wake();

    struct Exchange;

private:
    explicit HttpClient(AddressRule rule, std::string user_agent);
    void perform();

    const AddressRule rule_;
    const std::string user_agent_;
    void* multi_ = nullptr;  // CURLM
    std::unordered_map<std::uint64_t, std::unique_ptr<Exchange>> exchanges_;
    std::vector<HttpOutcome> ended_;
};

}  // namespace spillway::io
