// A page that lies on a disk has no service: what `server.js` is there.

export const discover = async () => {};
export const forResult = () => [];
export const forFailure = () => [];
export const forQueue = () => [];
