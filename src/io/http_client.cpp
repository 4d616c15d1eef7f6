// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/http_client.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "base/format.h"

namespace spillway::io {
namespace {

/// Connections kept open for the next POST, over all receivers.
constexpr long kConnectionsKept = 8;
/// Longest single wait: a wake-up that got lost would cost this at most.
constexpr std::chrono::milliseconds kWaitMax{1000};

template <class T>
std::span<const std::byte> bytes_of(const T& address) {
    return std::as_bytes(std::span(&address, 1));
}

bool passes(const HttpClient::AddressRule& rule, const sockaddr& address) {
    // Copied, not cast: the bytes are libcurl's, of a type of its own.
    if (address.sa_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, &address, sizeof in);
        return rule(bytes_of(in.sin_addr));
    }
    if (address.sa_family == AF_INET6) {
        sockaddr_in6 in{};
        std::memcpy(&in, &address, sizeof in);
        return rule(bytes_of(in.sin6_addr));
    }
    return false;
}

bool passes(const HttpClient::AddressRule& rule, std::string_view text) {
    const std::string address(text.substr(0, text.find('%')));
    in_addr v4{};
    if (inet_pton(AF_INET, address.c_str(), &v4) == 1) return rule(bytes_of(v4));
    in6_addr v6{};
    return inet_pton(AF_INET6, address.c_str(), &v6) == 1 && rule(bytes_of(v6));
}

}  // namespace

struct HttpClient::Exchange {
    HttpPost post;
    const AddressRule* rule = nullptr;  // none: any address
    CURL* easy = nullptr;
    curl_slist* headers = nullptr;
    std::array<char, CURL_ERROR_SIZE> words{};
    std::size_t answer_bytes = 0;
    bool refused = false;

    Exchange() = default;
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;
    ~Exchange() {
        if (easy != nullptr) curl_easy_cleanup(easy);
        curl_slist_free_all(headers);
    }

    /// Called with the address of each connection to be made.
    static curl_socket_t open_socket(void* self, curlsocktype, curl_sockaddr* address) {
        auto& exchange = *static_cast<Exchange*>(self);
        if (exchange.rule != nullptr && !passes(*exchange.rule, address->addr)) {
            exchange.refused = true;
            return CURL_SOCKET_BAD;
        }
        return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    }

    /// Called before the request goes out, on kept connections too: one may have been made for a POST without the rule.
    static int before_request(void* self, char* remote, char*, int, int) {
        auto& exchange = *static_cast<Exchange*>(self);
        if (exchange.rule == nullptr || passes(*exchange.rule, remote)) return CURL_PREREQFUNC_OK;
        exchange.refused = true;
        return CURL_PREREQFUNC_ABORT;
    }

    static std::size_t discard(char*, std::size_t size, std::size_t n, void* self) {
        auto& exchange = *static_cast<Exchange*>(self);
        exchange.answer_bytes += size * n;
        return exchange.answer_bytes > kAnswerBytesMax ? 0 : size * n;
    }
};

base::Result<std::unique_ptr<HttpClient>> HttpClient::create(AddressRule rule, std::string user_agent) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return base::fail("libcurl could not be initialised");
    std::unique_ptr<HttpClient> client(new HttpClient(std::move(rule), std::move(user_agent)));
    if (client->multi_ == nullptr) return base::fail("libcurl gave no handle");
    return client;
}

HttpClient::HttpClient(AddressRule rule, std::string user_agent)
    : rule_(std::move(rule)), user_agent_(std::move(user_agent)), multi_(curl_multi_init()) {
    if (multi_ != nullptr) curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kConnectionsKept);
}

HttpClient::~HttpClient() {
    for (auto& [id, exchange] : exchanges_) curl_multi_remove_handle(multi_, exchange->easy);
    exchanges_.clear();
    if (multi_ != nullptr) curl_multi_cleanup(multi_);
    curl_global_cleanup();
}

void HttpClient::start(HttpPost post) {
    auto made = std::make_unique<Exchange>();
    Exchange& exchange = *made;
    exchange.post = std::move(post);
    exchange.rule = exchange.post.public_only ? &rule_ : nullptr;
    exchange.easy = curl_easy_init();
    bool whole = exchange.easy != nullptr;
    // Not asked for "100 Continue" first: one round trip for the few bytes of an event.
    for (const std::string& line : exchange.post.headers) {
        curl_slist* longer = curl_slist_append(exchange.headers, line.c_str());
        whole = whole && longer != nullptr;
        if (longer != nullptr) exchange.headers = longer;
    }
    curl_slist* longer = curl_slist_append(exchange.headers, "Expect:");
    whole = whole && longer != nullptr;
    if (longer != nullptr) exchange.headers = longer;
    const std::uint64_t id = exchange.post.id;
    if (!whole) {
        ended_.push_back({id, HttpOutcome::Kind::failed, 0, "out of memory"});
        return;
    }
    const auto set = [&](CURLoption option, auto value) {
        whole = whole && curl_easy_setopt(exchange.easy, option, value) == CURLE_OK;
    };
    set(CURLOPT_URL, exchange.post.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PROXY, "");
    set(CURLOPT_NOPROXY, "*");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
    set(CURLOPT_USERAGENT, user_agent_.c_str());
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDS, exchange.post.body.data());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(exchange.post.body.size()));
    set(CURLOPT_HTTPHEADER, exchange.headers);
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(exchange.post.timeout.count()));
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(exchange.post.timeout.count()));
    set(CURLOPT_ERRORBUFFER, exchange.words.data());
    set(CURLOPT_OPENSOCKETFUNCTION, &Exchange::open_socket);
    set(CURLOPT_OPENSOCKETDATA, &exchange);
    set(CURLOPT_PREREQFUNCTION, &Exchange::before_request);
    set(CURLOPT_PREREQDATA, &exchange);
    set(CURLOPT_WRITEFUNCTION, &Exchange::discard);
    set(CURLOPT_WRITEDATA, &exchange);
    set(CURLOPT_PRIVATE, &exchange);
    if (!whole || curl_multi_add_handle(multi_, exchange.easy) != CURLM_OK) {
        ended_.push_back({id, HttpOutcome::Kind::failed, 0, "libcurl refused the request"});
        return;
    }
    const bool added = exchanges_.emplace(id, std::move(made)).second;
    SPILLWAY_ASSERT(added);
}

void HttpClient::wait(base::Duration rest) {
    perform();
    if (ended_.empty() && rest > base::Duration::zero()) {
        const auto most = std::min<base::Duration>(rest, kWaitMax);
        // Rounded up: a wait that ends just before its time would be followed by many that are too short.
        const auto ms = std::chrono::ceil<std::chrono::milliseconds>(most).count();
        curl_multi_poll(multi_, nullptr, 0, static_cast<int>(ms), nullptr);
        perform();
    }
}

void HttpClient::perform() {
    int running = 0;
    curl_multi_perform(multi_, &running);
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        const CURLcode result = message->data.result;
        Exchange* exchange = nullptr;
        long status = 0;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
        curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        HttpOutcome outcome{exchange->post.id, HttpOutcome::Kind::failed, 0, {}};
        const bool too_long = result == CURLE_WRITE_ERROR && exchange->answer_bytes > kAnswerBytesMax;
        if ((result == CURLE_OK || too_long) && status != 0) {
            outcome.kind = HttpOutcome::Kind::answered;
            outcome.status = static_cast<int>(status);
        } else if (exchange->refused) {
            outcome.kind = HttpOutcome::Kind::refused;
            outcome.reason = "its address is not public (allow_private_network permits that)";
        } else {
            if (result == CURLE_OPERATION_TIMEDOUT) outcome.kind = HttpOutcome::Kind::timeout;
            outcome.reason = exchange->words[0] != 0 ? exchange->words.data() : curl_easy_strerror(result);
        }
        curl_multi_remove_handle(multi_, exchange->easy);
        const std::uint64_t id = exchange->post.id;
        exchanges_.erase(id);
        ended_.push_back(std::move(outcome));
    }
}

std::vector<HttpOutcome> HttpClient::take() { return std::exchange(ended_, {}); }

void HttpClient::wake() { curl_multi_wakeup(multi_); }

}  // namespace spillway::io
