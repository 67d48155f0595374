// Keeps the page for the time without the service: the newest that the service gave, else the last one. Answers of the
// service itself, and photos, are never kept.

const KEPT = "lentigo", PAGE = new URL("./", location.href).href;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(["./", "manifest.webmanifest", "icon.svg"])).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || ![PAGE, `${PAGE}manifest.webmanifest`, `${PAGE}icon.svg`].includes(request.url.split(/[?#]/)[0])) return;
  event.respondWith((async () => {
    const cache = await caches.open(KEPT);
    try {
      const fresh = await fetch(request);
      if (fresh.ok) await cache.put(request, fresh.clone());
      return fresh.ok ? fresh : ((await cache.match(request, { ignoreSearch: true })) ?? fresh);
    } catch {
      return (await cache.match(request, { ignoreSearch: true })) ?? Response.error();
    }
  })());
});
