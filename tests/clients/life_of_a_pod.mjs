// A pod's life through Kubernetes' client for JavaScript: create, watch, log, exec, patch, delete.
//
// Talks to the cluster of $KUBECONFIG with the client in the folder of the first argument; prints a line for each step
// that went as it should, and fails at the first that did not.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { PassThrough } from 'node:stream';
import { pathToFileURL } from 'node:url';

const require = createRequire(pathToFileURL(`${process.argv[2]}/`));
const k8s = await import(pathToFileURL(require.resolve('@kubernetes/client-node')));

const namespace = 'default';
const name = 'from-javascript';
const body = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: name } },
  spec: {
    terminationGracePeriodSeconds: 5,
    containers: [
      {
        name: 'main',
        image: 'busybox:1',
        imagePullPolicy: 'Never',
        command: ['sh', '-c', "trap 'exit 0' TERM; echo started; while :; do sleep 0.1; done"],
      },
    ],
  },
};

/** All that a stream says until `enough` says that it is. */
function read(stream, enough) {
  return new Promise((resolve, reject) => {
    let text = '';
    stream.on('data', (part) => {
      text += part;
      if (enough(text)) resolve(text);
    });
    stream.on('error', reject);
  });
}

/** Watches pods until `enough` says of an event that it is. */
async function watch(config, query, enough) {
  let controller;
  const seen = [];
  await new Promise((resolve, reject) => {
    const see = (type, pod) => {
      seen.push([type, pod]);
      if (enough(type, pod)) resolve();
    };
    const over = (error) => (error && error.name !== 'AbortError' ? reject(error) : resolve());
    new k8s.Watch(config)
      .watch(`/api/v1/namespaces/${namespace}/pods`, query, see, over)
      .then((running) => (controller = running), reject);
  });
  controller?.abort();
  return seen;
}

const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);

const created = await core.createNamespacedPod({ namespace, body });
assert.equal(created.status.phase, 'Pending');
await assert.rejects(core.createNamespacedPod({ namespace, body }), { code: 409 });
console.log('created');

const lived = await watch(config, { labelSelector: `app=${name}` }, (_, pod) => pod.status.phase === 'Running');
assert.equal(lived.at(-1)[1].spec.nodeName, 'emulator');
console.log('watched');

const log = new PassThrough();
const logging = await new k8s.Log(config).log(namespace, name, 'main', log, { follow: true });
assert.equal(await read(log, (text) => text.endsWith('\n')), 'started\n');
logging.abort();
console.log('logged');

const [stdout, stdin] = [new PassThrough(), new PassThrough()];
const heard = read(stdout, (text) => text.endsWith('\n'));
const status = await new Promise((resolve, reject) => {
  const command = ['sh', '-c', 'read line; echo heard $line; exit 7'];
  new k8s.Exec(config).exec(namespace, name, 'main', command, stdout, null, stdin, false, resolve).catch(reject);
  stdin.write('this\n');
});
assert.equal(await heard, 'heard this\n');
assert.equal(status.reason, 'NonZeroExitCode');
assert.equal(status.details.causes[0].message, '7');
console.log('executed');

const patch = [{ op: 'add', path: '/metadata/annotations', value: { by: 'javascript' } }];
const patched = await core.patchNamespacedPod({ namespace, name, body: patch });
assert.equal(patched.metadata.annotations.by, 'javascript');
console.log('patched');

const resourceVersion = patched.metadata.resourceVersion;
const going = watch(config, { resourceVersion }, (type) => type === 'DELETED');
await core.deleteNamespacedPod({ namespace, name });
assert.equal((await going)[0][0], 'MODIFIED');
await assert.rejects(core.readNamespacedPod({ namespace, name }), { code: 404 });
console.log('deleted');
process.exit(0);
