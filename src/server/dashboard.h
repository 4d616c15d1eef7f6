// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The dashboard of the metrics port: a page without outside resources, a WebSocket (/live) that feeds it once a second,
// and the console's two requests, publish and authorise.
//
// Who may: on a loopback address whoever asks for it by a loopback name (so no page of a foreign site that points its name
// there); elsewhere who shows the dashboard token. Requests with a foreign Origin are refused in any case. The console acts
// for an app only with its secret; the development app needs none.
//
// Thread: the core of the metrics port.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <spillway/config.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/request.h"
#include "protocol/json.h"
#include "server/client.h"
#include "server/envelope.h"
#include "server/live_figures.h"
#include "server/survey.h"

namespace spillway::server {

class Core;

class Dashboard {
public:
    /// Pages that may look at the same time.
    static constexpr std::size_t kViewersMax = 16;

    explicit Dashboard(Core& core);

    /// Answers a request for one of its paths; false: it is none of them.
    [[nodiscard]] bool handle(Client& client, const http::Request& request);
    /// Once per turn: closes the second that is over and tells the viewers.
    void step();
    /// The metrics port is this core's; the others only survey.
    void begin();

    void asked(CoreId from);
    void surveyed(CoreId from, const Surveyed& answer);

private:
    [[nodiscard]] bool admitted(Client& client, const http::Request& request);
    [[nodiscard]] bool has_token(const Client& client, const http::Request& request) const;
    void page(Client& client);
    void open_live(Client& client, const http::Request& request);
    void publish(Client& client, const http::Request& request);
    void authorise(Client& client, const http::Request& request);
    /// The app that the request names, if it may act for it; else it is refused here.
    [[nodiscard]] std::optional<AppIndex> console_app(Client& client, protocol::JsonValue body);

    void tell(Client& client, std::string_view json);
    void compose_hello(std::string& json) const;
    void compose_tick(std::string& json) const;
    void append_backlogs(std::string& json) const;
    void append_channels(std::string& json) const;

    Core& core_;
    Survey survey_;
    LiveFigures figures_;
    std::vector<std::uint64_t> viewers_;
    std::vector<std::vector<SurveyBlock::Backlog>> backlogs_;  // as each core told last
    std::vector<std::vector<SurveyBlock::Channel>> channels_;
    base::Instant due_{};
    bool active_ = false;
    base::log::Throttle secret_lines_{std::chrono::seconds{10}};
    protocol::JsonArena arena_;
    std::string scratch_;
};

}  // namespace spillway::server
