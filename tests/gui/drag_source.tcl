# wish drag_source.tcl X Y FILE...: a small window from which the files can be dragged with the mouse.
package require Tk
package require tkdnd
set files [lassign $argv x y]
wm title . "Files"
wm geometry . 120x40+$x+$y
wm attributes . -topmost 1
pack [label .files -text "[llength $files] file(s)" -background white] -fill both -expand 1
tkdnd::drag_source register .files
bind .files <<DragInitCmd>> {list copy DND_Files $files}
