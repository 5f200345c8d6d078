// A deployment from its first transaction to its refund, as a wallet and an explorer see it. The tenant has a hardware
// wallet, which signs amino JSON; the provider's keys sign protobuf.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { sha256 } from "@cosmjs/crypto";
import { toUtf8 } from "@cosmjs/encoding";
import { coin } from "@cosmjs/stargate";
import { Comet38Client } from "@cosmjs/tendermint-rpc";
import { TxRaw } from "cosmjs-types/cosmos/tx/v1beta1/tx";
import { connect, denom, registry, rest, rpcAddress, until } from "./chain.js";
import { depositAuthorization } from "./grant.js";

const tenant = await connect("tenant", "AMINO");
const operator = await connect("operator", "DIRECT");
const agent = await connect("agent", "DIRECT");
after(() => [tenant, operator, agent].forEach(({ client }) => client.disconnect()));

const price = { cpu: 36_000n, memory: 3_600n };
const resources = (cpuMillis, memoryMib) => ({ ...noResources, cpuMillis, memoryMib });
const noResources = { cpuMillis: 0n, memoryMib: 0n, ephemeralMib: 0n, hddMib: 0n, ssdMib: 0n, nvmeMib: 0n, gpuMillis: 0n, egressMbps: 0n };
const gas = { amount: [coin(2000, denom)], gas: "2000000" };

// message fills in what is not given, as ts-proto's fromPartial does.
const message = (typeUrl, value) => ({ typeUrl, value: registry.lookupType(typeUrl).fromPartial(value) });

// send estimates the gas, signs, and waits for the block.
async function send(account, ...messages) {
  const result = await account.client.signAndBroadcast(account.address, messages, 1.6, "");
  assert.equal(result.code, 0, `${messages[0].typeUrl}: ${JSON.stringify(result.events)} ${result.rawLog}`);
  return result;
}

// answer decodes the last message's response.
function answer(result, name) {
  const { typeUrl, value } = result.msgResponses.at(-1);
  assert.equal(typeUrl, `/${name}`);
  return responses[name].decode(value);
}

const { MsgCreateDeploymentResponse, MsgCloseDeploymentResponse } = await import("./generated/souk/market/v1/tx.js");
const responses = {
  "souk.market.v1.MsgCreateDeploymentResponse": MsgCreateDeploymentResponse,
  "souk.market.v1.MsgCloseDeploymentResponse": MsgCloseDeploymentResponse,
};

// eventOf finds an event of one of our modules. Its attributes hold JSON.
function eventOf(events, type) {
  const event = events.find((candidate) => candidate.type === type);
  if (!event) return undefined;
  return Object.fromEntries(
    event.attributes.filter(({ key }) => key !== "msg_index" && key !== "mode").map(({ key, value }) => [key, JSON.parse(value)]),
  );
}

// granted is what the operator pays for the tenant, in micro-denom.
const granted = 3_000_000n;

let created, lease;

test("a provider registers and offers, signing DIRECT", async () => {
  await send(operator, message("/souk.provider.v1.MsgRegister", {
    operator: operator.address,
    agent: agent.address,
    payout: operator.address,
    gatewayUri: "https://localhost:8443",
    tlsKeys: [sha256(toUtf8(operator.address))],
    info: { name: "compat", website: "", contact: "" },
    bond: [coin("1000000000", denom)],
  }));
  await send(
    agent,
    message("/souk.market.v1.MsgSetPool", {
      signer: agent.address,
      provider: operator.address,
      id: 0,
      total: resources(8000n, 8192n),
      largestUnit: resources(8000n, 8192n),
    }),
    message("/souk.market.v1.MsgPostOffer", {
      signer: agent.address,
      provider: operator.address,
      pool: 0,
      asks: [{ denom, ...price }],
      labels: [{ key: "region", value: "eu-west" }],
    }),
  );
  const { offers } = await rest(`/souk/market/v1/providers/${operator.address}/offers`);
  assert.equal(offers.length, 1);
});

test("a tenant deploys, signing AMINO", async () => {
  const result = await send(tenant, message("/souk.market.v1.MsgCreateDeployment", {
    owner: tenant.address,
    name: "web",
    manifestHash: sha256(toUtf8("a manifest")),
    bids: [{
      name: "web",
      unit: resources(1000n, 1024n),
      minReplicas: 1,
      replicas: 1,
      cap: 2n * (price.cpu + price.memory),
      requirements: [{ key: "region", operator: 1, values: ["eu-west"] }],
    }],
    deposit: coin("50000000", denom),
  }));
  created = { ...answer(result, "souk.market.v1.MsgCreateDeploymentResponse"), height: result.height };
  const event = eventOf(result.events, "souk.market.v1.EventDeploymentCreated");
  assert.equal(event.deployment, String(created.deployment));
  assert.equal(event.owner, tenant.address);
});

test("the block tells of the lease that its clearing made", async () => {
  // The market clears at the end of this block or of one of the next, at most once a second.
  let height = created.height;
  const event = await until("a block has the lease", async () => {
    if (height > (await tenant.comet.status()).syncInfo.latestBlockHeight) return undefined;
    const { finalizeBlockEvents } = await tenant.comet.blockResults(height++);
    return eventOf(finalizeBlockEvents, "souk.market.v1.EventLeaseCreated");
  });
  assert.equal(event.deployment, String(created.deployment));
  assert.equal(event.provider, operator.address);
  lease = event.lease;
});

test("the agent acknowledges it with broadcast_tx_commit", async () => {
  const acknowledge = message("/souk.market.v1.MsgAckLeases", {
    signer: agent.address,
    provider: operator.address,
    accept: [BigInt(lease)],
    decline: [],
  });
  const signed = await agent.client.sign(agent.address, [acknowledge], gas, "");
  const result = await agent.comet.broadcastTxCommit({ tx: TxRaw.encode(signed).finish() });
  assert.equal(result.checkTx.code, 0, result.checkTx.log);
  assert.equal(result.txResult.code, 0, result.txResult.log);
  assert.ok(eventOf(result.txResult.events, "souk.market.v1.EventLeaseActive"));

  const { lease: stored } = await rest(`/souk/market/v1/leases/${lease}`);
  assert.equal(stored.state, "LEASE_STATE_ACTIVE");
});

test("the REST gateway tells of the deployment and its money", async () => {
  const { deployment } = await rest(`/souk/market/v1/owners/${tenant.address}/deployments/web`);
  assert.equal(deployment.id, String(created.deployment));
  assert.equal(deployment.state, "DEPLOYMENT_STATE_OPEN");
  const { leases } = await rest(`/souk/market/v1/deployments/${created.deployment}/leases`);
  assert.deepEqual(leases.map(({ id }) => id), [lease]);
  const { streams } = await rest(`/souk/escrow/v1/accounts/${created.account}/streams`);
  assert.equal(streams.length, 1);
});

test("the tenant deposits, and the transaction is found by its event", async () => {
  const result = await send(tenant, message("/souk.escrow.v1.MsgDeposit", {
    signer: tenant.address,
    account: created.account,
    amount: coin("2000000", denom),
  }));
  const query = [
    { key: "message.action", value: "/souk.escrow.v1.MsgDeposit" },
    { key: "message.sender", value: tenant.address },
  ];
  const found = await until("the transaction is indexed", async () => {
    const all = await tenant.client.searchTx(query);
    return all.length > 0 && all;
  });
  assert.deepEqual(found.map(({ hash }) => hash), [result.transactionHash]);

  const byHash = await tenant.client.getTx(result.transactionHash);
  assert.equal(byHash.height, result.height);

  const quoted = `souk.market.v1.EventDeploymentCreated.deployment='"${created.deployment}"'`;
  const { txs } = await tenant.comet.txSearch({ query: quoted });
  assert.deepEqual(txs.map(({ height }) => height), [created.height]);
});

test("the tenant grants deposits, and pays with what it was granted, signing AMINO", async () => {
  const inAnHour = BigInt(Math.floor(Date.now() / 1000) + 3600);
  const grant = (granter, grantee) => message("/cosmos.authz.v1beta1.MsgGrant", {
    granter: granter.address,
    grantee: grantee.address,
    grant: {
      authorization: depositAuthorization({ spendLimit: [coin(granted.toString(), denom)], accounts: [created.account] }),
      expiration: { seconds: inAnHour, nanos: 0 },
    },
  });
  await send(tenant, grant(tenant, operator));
  await send(operator, grant(operator, tenant));
  await send(tenant, message("/souk.escrow.v1.MsgDeposit", {
    signer: tenant.address,
    account: created.account,
    amount: coin(granted.toString(), denom),
    granter: operator.address,
  }));
  const { account } = await rest(`/souk/escrow/v1/accounts/${created.account}`);
  assert.equal(account.deposits.at(-1).depositor, operator.address);
  assert.equal(account.deposits.at(-1).grantee, tenant.address);
});

test("new blocks come over a websocket", async () => {
  const comet = await Comet38Client.connect(rpcAddress().replace(/^http/, "ws"));
  try {
    const heights = [];
    let subscription;
    await new Promise((resolve, reject) => {
      subscription = comet.subscribeNewBlock().subscribe({
        next: ({ header }) => heights.push(header.height) === 2 && resolve(),
        error: reject,
      });
    });
    subscription.unsubscribe();
    assert.equal(heights[1], heights[0] + 1);
  } finally {
    comet.disconnect();
  }
});

test("the tenant closes, and has the rest back", async () => {
  const before = BigInt((await tenant.client.getBalance(tenant.address, denom)).amount);
  const result = await send(tenant, message("/souk.market.v1.MsgCloseDeployment", {
    owner: tenant.address,
    deployment: created.deployment,
  }));
  const closed = answer(result, "souk.market.v1.MsgCloseDeploymentResponse");
  const refunded = BigInt(closed.refunded.amount);
  const after = BigInt((await tenant.client.getBalance(tenant.address, denom)).amount);
  const paid = feeOf(await tenant.client.getTx(result.transactionHash));
  assert.equal(after, before - paid + refunded - granted, "the operator has its own back: the tenant's was older");
  assert.ok(refunded > 0n && refunded < 55_000_000n, `refunded ${refunded}`);

  const { deployment } = await rest(`/souk/market/v1/deployments/${created.deployment}`);
  assert.equal(deployment.state, "DEPLOYMENT_STATE_CLOSED");
  const { lease: ended } = await rest(`/souk/market/v1/leases/${lease}`);
  assert.equal(ended.state, "LEASE_STATE_CLOSED");
});

// feeOf reads what a transaction paid from its events.
function feeOf({ events }) {
  const fee = events.find(({ type, attributes }) => type === "tx" && attributes.some(({ key }) => key === "fee"));
  return BigInt(fee.attributes.find(({ key }) => key === "fee").value.replace(denom, ""));
}

