// Keeps the terminal page up while the network is away. It holds the page and its parts and nothing else: what the
// gateway answers is never kept, so nothing looks stamped that is not. The gateway writes `SHELL` before these lines.

const NAME = `stampgate-kiosk-${SHELL.version}`;
const PAGE = "/kiosk";
const PATIENCE = 4000; // milliseconds for the network to answer before the kept page is shown

self.addEventListener("install", (event) => {
  const requests = [PAGE, ...SHELL.parts].map((part) => new Request(part, { cache: "no-cache" }));
  event.waitUntil(
    caches
      .open(NAME)
      .then((cache) => cache.addAll(requests)) // all or nothing: a page never runs with parts of another version
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  const tidy = async () => {
    const names = await caches.keys();
    await Promise.all(names.filter((name) => name.startsWith("stampgate-kiosk-") && name !== NAME).map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname, search } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (request.mode === "navigate" && pathname === PAGE) event.respondWith(page(request));
  else if (SHELL.parts.includes(pathname + search)) event.respondWith(part(request));
});

async function page(request) {
  const late = new Promise((_, reject) => setTimeout(reject, PATIENCE));
  try {
    const answer = await Promise.race([fetch(request), late]);
    if (answer.ok) return answer; // the gateway always has this page; without it a proxy answers with its own
  } catch {
    // No network: below.
  }
  return (await caches.match(PAGE, { cacheName: NAME, ignoreVary: true })) ?? Response.error();
}

async function part(request) {
  return (await caches.match(request, { cacheName: NAME, ignoreVary: true })) ?? fetch(request);
}
