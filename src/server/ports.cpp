// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/ports.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "io/privileges.h"
#include "io/supervisor.h"

namespace spillway::server {
namespace {

using base::concat;
namespace log = base::log;

base::Result<io::Listeners> listen(io::Descriptor given, std::string_view host, std::uint16_t port, std::size_t count) {
    return given ? io::share_listener(std::move(given), count) : io::open_listeners(host, port, count);
}

base::Result<io::Listeners> open_main(const Config& config, GivenPorts& given, Successor* from, std::size_t cores) {
    if (from != nullptr) return io::inherit_listeners(std::move(from->main));
    return listen(std::move(given.main), config.host, config.port, cores);
}

/// Of a predecessor if it is where ours is to be.
base::Result<io::Listeners> open_metrics(const Config& config, GivenPorts& given, Successor* from,
                                         std::vector<SocketUse>& taken) {
    if (from != nullptr && from->metrics) {
        std::vector<io::Descriptor> sockets;
        sockets.push_back(std::move(from->metrics));
        auto inherited = io::inherit_listeners(std::move(sockets));
        if (!inherited || inherited->address == io::listener_address(config.metrics_host, config.metrics_port)) {
            taken.push_back(SocketUse::metrics);
            return inherited;
        }
    }
    return listen(std::move(given.metrics), config.metrics_host, config.metrics_port, 1);
}

base::Result<io::UnixListener> open_local(const Config& config, GivenPorts& given, Successor* from, std::size_t cores,
                                          std::vector<SocketUse>& taken) {
    if (given.local) return io::UnixListener::share(std::move(given.local), cores);
    const bool named = from != nullptr && !config.unix_socket.empty() && from->local_path == config.unix_socket;
    const bool nameless = from != nullptr && config.unix_socket.empty() && from->local_path.empty();
    if (from != nullptr && from->local && (named || nameless)) {
        taken.push_back(SocketUse::local);
        if (nameless) return io::UnixListener::share(std::move(from->local), cores);
        return io::UnixListener::inherit(std::move(from->local), config.unix_socket, config.unix_socket_mode, cores);
    }
    if (config.unix_socket.empty()) return io::UnixListener();
    return io::UnixListener::open(config.unix_socket, config.unix_socket_mode, cores);
}

}  // namespace

base::Result<GivenPorts> take_given_ports() {
    const auto variable = [](const char* name) {
        const char* value = std::getenv(name);  // before there are other threads
        return std::string_view(value == nullptr ? "" : value);
    };
    auto sockets = io::given_sockets(variable("LISTEN_FDS"), variable("LISTEN_PID"), variable("LISTEN_FDNAMES"));
    if (!sockets) return base::fail(std::move(sockets).error());
    GivenPorts given;
    for (io::GivenSocket& socket : *sockets) {
        int family = 0;
        socklen_t bytes = sizeof family;
        static_cast<void>(::getsockopt(socket.fd.get(), SOL_SOCKET, SO_DOMAIN, &family, &bytes));
        io::Descriptor& place = socket.name == "metrics" ? given.metrics : family == AF_UNIX ? given.local : given.main;
        if (place)
            return base::fail(concat("two sockets for the same purpose were handed to us, the second is called \"",
                                     log::escaped(socket.name),
                                     "\": one of each kind is possible, and FileDescriptorName=metrics "
                                     "tells the metrics port from the main one"));
        place = std::move(socket.fd);
    }
    return given;
}

base::Result<std::unique_ptr<Successor>> ask_predecessor(const Config& config, const GivenPorts& given,
                                                         std::string version) {
    if (!config.take_over) return nullptr;
    if (given.main || config.port == 0) {
        log::info(concat("nobody to take over from: the port is ",
                         given.main ? "the service manager's" : "any that is free"));
        return nullptr;
    }
    const auto address = io::listener_address(config.host, config.port);
    if (!address) return nullptr;  // what is wrong with it is said by who opens it
    uid_t user = ::geteuid();
    if (!config.user.empty()) {
        const auto account = io::find_account(config.user);
        if (!account) return base::fail(account.error());
        user = account->user;
    }
    auto successor = Successor::ask(successor_name(*address), user, std::move(version), {});
    if (!successor) return base::fail(std::move(successor).error());
    if (!successor->inherits()) return nullptr;
    return std::make_unique<Successor>(std::move(*successor));
}

base::Result<Ports> open_ports(const Config& config, GivenPorts given, Successor* from, std::size_t cores) {
    Ports ports;
    ports.main_kept = static_cast<bool>(given.main);
    ports.local_kept = static_cast<bool>(given.local);
    ports.inherited = from != nullptr;
    auto main = open_main(config, given, from, cores);
    if (!main) return base::fail(main.error());
    if (from != nullptr) ports.taken.push_back(SocketUse::main);
    auto metrics = open_metrics(config, given, from, ports.taken);
    if (!metrics) return base::fail(concat(metrics.error(), " (metrics port: --metrics-port chooses another)"));
    auto local = open_local(config, given, from, cores, ports.taken);
    if (!local) return base::fail(local.error());
    ports.main = std::move(*main);
    ports.metrics = std::move(*metrics);
    ports.local = std::move(*local);
    const bool left = from != nullptr && std::ranges::find(ports.taken, SocketUse::local) == ports.taken.end();
    if (left && !from->local_path.empty()) ports.abandoned = io::UnixListener::abandoned(from->local_path);
    return ports;
}

std::unique_ptr<Predecessor> await_successor(const Ports& ports, io::Descriptor inherited, std::string version) {
    auto predecessor = std::make_unique<Predecessor>(successor_name(ports.main.address), std::move(version));
    for (const io::Descriptor& socket : ports.main.sockets) predecessor->offer(SocketUse::main, socket.get());
    predecessor->offer(SocketUse::metrics, ports.metrics.sockets[0].get());
    if (!ports.local.sockets.empty()) predecessor->offer(SocketUse::local, ports.local.sockets[0].get());
    if (ports.local.owns_name()) predecessor->offer_name(ports.local.path());
    predecessor->inherit(std::move(inherited));
    return predecessor;
}

}  // namespace spillway::server
