// What a page does to watch a door: asks for ICE servers, makes an offer, posts it, takes the answer. For tests and benchmark.
async function watchDoor(site, door, why, video, more = {}) {
  const began = performance.now();
  const state = await (await fetch(`/api/live/${site}/${door}/state`)).json();
  const peer = new RTCPeerConnection({ iceServers: state.ice });
  const said = [];
  const channel = peer.createDataChannel("doorward");
  channel.onmessage = (event) => said.push(JSON.parse(event.data));
  peer.addTransceiver("video", { direction: "recvonly" });
  const voice = more.sound ? peer.addTransceiver("audio", { direction: "sendrecv" }) : null;
  const first = new Promise((resolve) => {
    peer.ontrack = (event) => {
      if (event.track.kind !== "video") return;
      video.srcObject = new MediaStream([event.track]);
      video.requestVideoFrameCallback(() => resolve(performance.now() - began));
      video.play();
    };
  });
  await peer.setLocalDescription(await peer.createOffer());
  await new Promise((resolve) => {
    if (peer.iceGatheringState === "complete") resolve();
    peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && resolve();
    setTimeout(resolve, 1000);
  });
  const body = { site, door, why, sdp: peer.localDescription.sdp, unmask: Boolean(more.unmask) };
  const reply = await fetch("/api/live", { method: "POST", body: JSON.stringify(body) });
  const opened = await reply.json();
  if (!reply.ok) throw new Error(opened.sentence);
  await peer.setRemoteDescription({ type: "answer", sdp: opened.sdp });
  return { session: opened.session, peer, channel, said, voice, firstMs: await first };
}

// Take the word: the microphone is asked for only now.
async function talk(live) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  await live.voice.sender.replaceTrack(stream.getAudioTracks()[0]);
  live.channel.send('{"talk": true}');
}

// Packets of sound that came from the door.
async function heard(live) {
  const reports = [...(await live.peer.getStats()).values()];
  return reports.find((each) => each.type === "inbound-rtp" && each.kind === "audio")?.packetsReceived ?? 0;
}

// The spread of brightness in a square of the picture: large for a clear pattern, small for a hidden one.
function contrast(video, x, y, side) {
  const canvas = new OffscreenCanvas(side, side).getContext("2d");
  canvas.drawImage(video, x, y, side, side, 0, 0, side, side);
  const raw = canvas.getImageData(0, 0, side, side).data;
  const grey = [];
  for (let i = 0; i < raw.length; i += 4) grey.push((raw[i] + raw[i + 1] + raw[i + 2]) / 3);
  const mean = grey.reduce((a, b) => a + b, 0) / grey.length;
  return Math.sqrt(grey.reduce((a, b) => a + (b - mean) ** 2, 0) / grey.length);
}
