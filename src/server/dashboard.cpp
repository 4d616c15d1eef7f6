// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/dashboard.h"

#include <algorithm>
#include <array>

#include "base/format.h"
#include "base/log.h"
#include "crypto/digest.h"
#include "protocol/api.h"
#include "protocol/json_escape.h"
#include "protocol/socket_id.h"
#include "server/core.h"
#include "server/dashboard/dashboard_page.h"
#include "ws/frame_writer.h"

namespace spillway::server {
namespace {

using base::append;
using protocol::append_json_string;
using std::chrono::seconds;

constexpr seconds kEvery{1};
/// A viewer with so much unread misses seconds until it has read.
constexpr std::size_t kUnreadMax = 256 * kKiB;

/// The host part of a Host header or of an origin, without its port.
std::string_view host_of(std::string_view authority) {
    if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
    return authority.substr(0, authority.find(':'));
}

bool is_loopback(std::string_view host) {
    return host == "localhost" || host == "::1" || host == "[::1]" || host.starts_with("127.");
}

bool is_same_origin(std::string_view origin, std::string_view host) {
    const std::size_t scheme = origin.find("://");
    return scheme != std::string_view::npos && origin.substr(scheme + 3) == host;
}

}  // namespace

Dashboard::Dashboard(Core& core)
    : core_(core), survey_(core), figures_(core.ops.cores()), backlogs_(core.cores), channels_(core.cores) {}

void Dashboard::begin() { active_ = true; }

// ---- who may

bool Dashboard::has_token(const Client& client, const http::Request& request) const {
    const std::string_view token = core_.config.dashboard_token;
    if (token.empty()) return false;
    if (const auto shown = client.http->target.parameter("token")) return crypto::equal_constant_time(*shown, token);
    constexpr std::string_view scheme = "Bearer ";
    const auto header = request.header("Authorization");
    return header && header->starts_with(scheme) && crypto::equal_constant_time(header->substr(scheme.size()), token);
}

bool Dashboard::admitted(Client& client, const http::Request& request) {
    const std::string_view host = request.header("Host").value_or("");
    const auto origin = request.header("Origin");
    std::string_view fault;
    if (origin && !is_same_origin(*origin, host)) {
        fault = "The dashboard is served to its own page only.";
    } else if (!core_.config.dashboard_token.empty()) {
        if (!has_token(client, request)) fault = "The dashboard wants its token: open it as /?token=TOKEN.";
    } else if (!is_loopback(core_.config.metrics_host)) {
        fault =
            "The dashboard on an address that is not loopback wants a token: set dashboard_token in the "
            "configuration file, or SPILLWAY_DASHBOARD_TOKEN.";
    } else if (!is_loopback(host_of(host))) {
        fault = "The dashboard on a loopback address is served under loopback names only: 127.0.0.1, localhost, [::1].";
    }
    if (fault.empty()) return true;
    core_.http.respond_text(client, 403, fault);
    return false;
}

// ---- requests

bool Dashboard::handle(Client& client, const http::Request& request) {
    const std::string_view path = request.path;
    const bool get = request.method == "GET" || request.method == "HEAD";
    const bool post = request.method == "POST";
    const bool mine = get ? path == "/" || path == "/live" : post && path.starts_with("/console/");
    if (!mine) return false;
    if (!admitted(client, request)) return true;
    if (path == "/") {
        page(client);
    } else if (path == "/live") {
        open_live(client, request);
    } else if (request.header("Content-Type").value_or("") != "application/json") {
        core_.http.respond_text(client, 415, "The body must be JSON, and be said to be.");
    } else if (path == "/console/publish") {
        publish(client, request);
    } else if (path == "/console/authorise") {
        authorise(client, request);
    } else {
        core_.http.respond_text(client, 404, "The console has no such request.");
    }
    return true;
}

void Dashboard::page(Client& client) {
    const http::Header headers[] = {{"Content-Security-Policy", kDashboardPolicy},
                                    {"X-Content-Type-Options", "nosniff"},
                                    {"X-Frame-Options", "DENY"},
                                    {"Referrer-Policy", "no-referrer"},
                                    {"Cache-Control", "no-store"}};
    core_.http.respond(client, 200, "text/html; charset=utf-8", kDashboardPage, headers);
}

void Dashboard::open_live(Client& client, const http::Request& request) {
    if (!core_.http.check_upgrade(client, request)) return;
    std::erase_if(viewers_, [this](std::uint64_t id) { return core_.find(id) == nullptr; });
    if (viewers_.size() >= kViewersMax) {
        const http::Header retry[] = {{"Retry-After", "10"}};
        core_.http.respond_text(client, 503, "The dashboard has all the viewers it may have.", retry);
        return;
    }
    core_.stats.clients[static_cast<std::size_t>(client.kind)].subtract();
    client.kind = ClientKind::dashboard;
    core_.stats.clients[static_cast<std::size_t>(client.kind)].add();
    viewers_.push_back(client.id);
    scratch_.clear();
    compose_hello(scratch_);
    std::string frame;
    ws::append_text(frame, scratch_);
    core_.http.answer_upgrade(client, frame);
}

std::optional<AppIndex> Dashboard::console_app(Client& client, protocol::JsonValue body) {
    const auto index = core_.apps.by_id(body.member("app_id").text());
    if (!index) {
        core_.http.respond_text(client, 404, "There is no app with this id.");
        return std::nullopt;
    }
    const AppConfig& app = core_.apps[*index];
    const std::string_view secret = body.member("secret").text();
    const bool known = crypto::equal_constant_time(secret, app.secret) ||
                       (!app.secret_previous.empty() && crypto::equal_constant_time(secret, app.secret_previous));
    if (!core_.config.development_app && !known) {
        base::log::write_throttled(secret_lines_, core_.now, base::log::Level::warn,
                                   [] { return std::string("the dashboard's console was given a wrong secret"); });
        core_.http.respond_text(client, 401, "This is not the app's secret.");
        return std::nullopt;
    }
    return index;
}

void Dashboard::publish(Client& client, const http::Request& request) {
    const auto body = arena_.parse(request.body);
    if (!body) return core_.http.respond_text(client, 400, body.error().reason);
    const auto index = console_app(client, *body);
    if (!index) return;
    const AppConfig& app = core_.apps[*index];
    const protocol::ApiLimits limits{app.max_event_bytes, app.max_event_name, app.max_channel_name,
                                     app.max_channels_per_event, app.max_batch};
    const protocol::JsonMember event = body->find("event");
    if (event.value.kind() != protocol::JsonKind::object)
        return core_.http.respond_text(client, 400, "The member event must be an object as for /events.");
    protocol::ApiScratch scratch;
    const auto decoded = protocol::decode_event(protocol::raw_member(request.body, event.index), limits, scratch);
    if (!decoded) return core_.http.respond_text(client, decoded.error().status, decoded.error().reason);
    const Publication publication{*index, decoded->name,     decoded->data, decoded->channels,
                                  {},     decoded->priority, false,         {}};
    if (core_.publisher.publish(std::span(&publication, 1), 0) == 0)
        return core_.http.respond_text(client, 503, "The server is too busy to take this now.");
    core_.http.respond_json(client, 200, "{}");
}

void Dashboard::authorise(Client& client, const http::Request& request) {
    const auto body = arena_.parse(request.body);
    if (!body) return core_.http.respond_text(client, 400, body.error().reason);
    const auto index = console_app(client, *body);
    if (!index) return;
    const AppConfig& app = core_.apps[*index];
    const std::string_view socket_id = body->member("socket_id").text();
    const std::string_view channel = body->member("channel").text();
    const std::string_view data = body->member("channel_data").text();
    if (!protocol::is_socket_id(socket_id))
        return core_.http.respond_text(client, 400, "The member socket_id must be a socket id.");
    std::vector<std::string_view> pieces{socket_id, ":", channel};
    if (!data.empty()) pieces.insert(pieces.end(), {":", data});
    const std::string json =
        base::concat(R"({"auth":")", app.key, ':', crypto::hmac_sha256_hex(app.secret, pieces), "\"}");
    core_.http.respond_json(client, 200, json);
}

// ---- seconds

void Dashboard::step() {
    if (!active_ || core_.now < due_) return;
    due_ = core_.now + kEvery;
    figures_.look(core_.now, core_.clock.unix_seconds() * 1000);
    std::erase_if(viewers_, [this](std::uint64_t id) { return core_.find(id) == nullptr; });
    if (viewers_.empty()) return;
    for (std::size_t core = 0; core < core_.cores; ++core) core_.port.send(static_cast<CoreId>(core), SurveyAsked{});
    scratch_.clear();
    compose_tick(scratch_);
    for (const std::uint64_t id : viewers_) tell(*core_.find(id), scratch_);
}

void Dashboard::tell(Client& client, std::string_view json) {
    if (client.state != ClientState::open || (client.out != nullptr && client.out->bytes() > kUnreadMax)) return;
    std::string frame;
    ws::append_text(frame, json);
    core_.sender.stream(client, frame);
}

void Dashboard::asked(CoreId from) { core_.port.send(from, Surveyed{survey_.take()}); }

void Dashboard::surveyed(CoreId from, const Surveyed& answer) {
    SurveyBlock* block = answer.block;
    backlogs_[from].assign(block->backlog.begin(), block->backlog.begin() + block->backlogs);
    channels_[from].assign(block->channel.begin(), block->channel.begin() + block->channels);
    core_.blocks.release(block);
}

// ---- what viewers are told

void Dashboard::compose_hello(std::string& json) const {
    append(json, R"({"type":"hello","port":)", core_.ops.port(), R"(,"path_prefix":)");
    append_json_string(json, core_.config.path_prefix);
    append(json, R"(,"development":)", core_.config.development_app ? "true" : "false", R"(,"apps":[)");
    for (std::size_t i = 0; i < core_.apps.size(); ++i) {
        const AppConfig& app = core_.apps[static_cast<AppIndex>(i)];
        json += i == 0 ? R"({"id":)" : R"(,{"id":)";
        append_json_string(json, app.id);
        json += R"(,"key":)";
        append_json_string(json, app.key);
        json += '}';
    }
    json += R"(],"points":)";
    figures_.append_points(json);
    json += '}';
}

void Dashboard::compose_tick(std::string& json) const {
    json += R"({"type":"tick","point":)";
    if (figures_.points().empty()) {
        json += "null";
    } else {
        LiveFigures::append_point(json, figures_.points().back());
    }
    json += R"(,"cores":)";
    figures_.append_cores(json);
    json += R"(,"backlogs":)";
    append_backlogs(json);
    json += R"(,"channels":)";
    append_channels(json);
    json += R"(,"stats":)";
    json += core_.ops.stats_json(core_.now, core_.health);
    json += '}';
}

void Dashboard::append_backlogs(std::string& json) const {
    std::vector<SurveyBlock::Backlog> all;
    for (const auto& one : backlogs_) all.insert(all.end(), one.begin(), one.end());
    std::ranges::sort(all, std::greater<>(), &SurveyBlock::Backlog::bytes);
    if (all.size() > SurveyBlock::kTop) all.resize(SurveyBlock::kTop);
    json += '[';
    for (std::size_t i = 0; i < all.size(); ++i) {
        const SurveyBlock::Backlog& b = all[i];
        const ClientId id = ClientId::unpack(b.client);
        append(json, i == 0 ? "{" : ",{", R"("client":")", protocol::format_socket_id({b.nonce, id}), R"(","core":)",
               id.core, R"(,"kind":")", to_string(b.kind), R"(","messages":)", b.messages, R"(,"bytes":)", b.bytes,
               R"(,"stalled_ms":)", b.stalled_ms, R"(,"app":)");
        append_json_string(json, core_.apps[b.app].id);
        json += '}';
    }
    json += ']';
}

void Dashboard::append_channels(std::string& json) const {
    std::vector<const SurveyBlock::Channel*> all;
    for (const auto& one : channels_)
        for (const auto& channel : one) all.push_back(&channel);
    std::ranges::sort(all, std::greater<>(), &SurveyBlock::Channel::subscribers);
    if (all.size() > SurveyBlock::kTop) all.resize(SurveyBlock::kTop);
    json += '[';
    for (std::size_t i = 0; i < all.size(); ++i) {
        json += i == 0 ? R"({"name":)" : R"(,{"name":)";
        append_json_string(json, all[i]->text());
        append(json, R"(,"subscribers":)", all[i]->subscribers, R"(,"messages":)", all[i]->messages, R"(,"app":)");
        append_json_string(json, core_.apps[all[i]->app].id);
        json += '}';
    }
    json += ']';
}

}  // namespace spillway::server
