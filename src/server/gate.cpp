// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/gate.h"

#include "http/forwarded.h"
#include "server/core.h"

namespace spillway::server {

AddressBook::Limits Gate::limits() const {
    return {core_.config.max_clients_per_ip, core_.config.connects_per_second_per_ip};
}

Gate::Answer Gate::ask(Client& client, const http::Request& request) {
    switch (client.gate) {
        case GateState::asked: return Answer::wait;
        case GateState::too_many: return Answer::refuse;
        case GateState::too_fast:
        case GateState::admitted: return Answer::pass;
        case GateState::unasked: break;
    }
    const AddressBook::Limits set = limits();
    if (set.clients == 0 && set.per_second == 0) return Answer::pass;
    const Address address = http::forwarded_client(peer_of(client), request.headers, core_.config.trusted_proxies);
    if (address.is_none()) return Answer::pass;  // a Unix socket's peer
    const Address counted = limited_as(address);
    client.gate = GateState::asked;
    client.place_home = static_cast<CoreId>(address_hash(counted) % core_.cores);
    core_.port.send(client.place_home, Knock{client.id, counted});
    return Answer::wait;
}

void Gate::knock(CoreId from, const Knock& knock) {
    const auto [verdict, place] = book_.enter(knock.address, limits(), base::milliseconds_of(core_.now));
    core_.port.send(from, Knocked{knock.client, place, verdict});
}

void Gate::knocked(CoreId home, const Knocked& answer) {
    Client* client = core_.find(answer.client);
    const bool gone = client == nullptr || client->state != ClientState::open || client->gate != GateState::asked;
    if (gone) {
        if (answer.verdict == AddressBook::Verdict::admitted) core_.port.send(home, AddressLeft{answer.place});
        return;
    }
    switch (answer.verdict) {
        case AddressBook::Verdict::admitted:
            client->gate = GateState::admitted;
            client->place = answer.place;
            break;
        case AddressBook::Verdict::too_many: client->gate = GateState::too_many; break;
        case AddressBook::Verdict::too_fast: client->gate = GateState::too_fast; break;
    }
    core_.http.gate_opened(*client);
}

void Gate::leave(Client& client) {
    if (client.gate == GateState::admitted) core_.port.send(client.place_home, AddressLeft{client.place});
    client.gate = GateState::unasked;
}

void Gate::speaks_for(Client& client, const Address& address) { spoken_for_[client.slot()] = address; }

Address Gate::peer_of(const Client& client) const {
    const auto found = spoken_for_.find(client.slot());
    return found != spoken_for_.end() ? found->second : core_.ring.peer(client.fd).address;
}

bool Gate::from_proxy(const Client& client) const {
    return http::is_trusted(core_.ring.peer(client.fd).address, core_.config.trusted_proxies);
}

void Gate::forget(Client& client) {
    if (!spoken_for_.empty()) spoken_for_.erase(client.slot());
}

void Gate::sweep() { book_.sweep(base::milliseconds_of(core_.now)); }

}  // namespace spillway::server
