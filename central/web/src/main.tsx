import { render } from "preact";
import { App } from "./app";
import { startAwake } from "./awake";
import { startPush } from "./push";
import { begin } from "./state";
import { startTheme } from "./theme";
import "./styles.css";

startTheme();
startPush();
startAwake();
void begin();
render(<App />, document.getElementById("app")!);
