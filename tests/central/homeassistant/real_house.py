"""A real Home Assistant with nothing in it but its MQTT integration. Run by an interpreter that has homeassistant 2024.3.3, never by ours.

Arguments: a folder, and the settings of the MQTT entry as JSON. Tells each new state as a line of JSON; a line `DOMAIN SERVICE ENTITY` on standard
input calls a service.
"""

# ruff: noqa
# mypy: ignore-errors
import asyncio
import json
import sys
import threading
from pathlib import Path

from homeassistant import auth, bootstrap, config_entries, core, loader
from homeassistant.setup import async_setup_component

FOLDER, ENTRY = sys.argv[1], json.loads(sys.argv[2])


async def live() -> None:
    (Path(FOLDER) / "configuration.yaml").write_text("")
    hass = core.HomeAssistant(FOLDER)
    hass.config.skip_pip = True
    loader.async_setup(hass)
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    await bootstrap.async_load_base_functionality(hass)
    hass.auth = await auth.auth_manager_from_config(hass, [], [])
    hass.bus.async_listen("state_changed", tell)
    http = {"http": {"server_host": "127.0.0.1", "server_port": ENTRY.pop("http_port"), "use_x_frame_options": True}}
    assert await async_setup_component(hass, "homeassistant", {})
    assert await async_setup_component(hass, "http", http)
    entry = config_entries.ConfigEntry(
        version=1, minor_version=1, domain="mqtt", title="broker", data=ENTRY, source="user", entry_id="x"
    )
    await hass.config_entries.async_add(entry)
    await hass.async_start()
    threading.Thread(target=obey, args=(hass,), daemon=True).start()
    await asyncio.Event().wait()


@core.callback
def tell(event) -> None:
    new = event.data.get("new_state")
    if new is not None:
        attributes = {key: value for key, value in new.attributes.items() if isinstance(value, (str, int, float, list))}
        print(json.dumps({"entity": new.entity_id, "state": new.state, "attributes": attributes}), flush=True)


def obey(hass) -> None:
    for line in sys.stdin:
        domain, service, entity = line.split()
        call = hass.services.async_call(domain, service, {"entity_id": entity}, blocking=True)
        asyncio.run_coroutine_threadsafe(call, hass.loop)


asyncio.run(live())
